//! `losses` and `explain`.

use std::path::Path;

use serde_json::Value;

use crate::program::{fine, refused};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn losses_are_a_table() {
    insta::assert_snapshot!(fine(here(), &["losses"]), @r#"
    name                    what it does
    ───────────────────────────────────────────────────────────────────────────────────────────────────
                            for two-stage detectors
    softmax_ce              Cross-entropy over all classes and background: the usual loss of two-stage
                            detectors.
    sigmoid_bce             Plain sigmoid cross-entropy: the baseline that EQL v2 re-weights.
    eqlv2                   Re-weighs positive and negative gradients of each class by the ratio it has
                            received so far.
    eql                     Sigmoid cross-entropy in which foreground rows of other classes do not push
                            rare classes down.
    seesaw                  Softmax over classes whose rare ones are pushed less by frequent ones, and
                            an objectness of its own.
    federated               Sigmoid cross-entropy over a random subset of classes: those of the batch,
                            and some more.
    droploss                EQL v1 that also drops a random part of what background rows tell rare
                            classes.
    acsl                    Suppresses another class only where the row is confident of it, and tells
                            rare classes little about background.
    bags                    One softmax for each group of classes of similar counts, so that frequent
                            classes do not compete with rare ones.
    loce                    Cross-entropy with margins from how well each class scores so far: a class
                            that scores low is helped.
    ecm                     Sigmoid cross-entropy of surrogate logits whose margins follow from the
                            class counts.
    fcbl                    Sigmoid cross-entropy with margins between two classes that are confused
                            more one way than the other.
    balanced_softmax        Cross-entropy of logits shifted by the log of the class counts, so that the
                            plain softmax at inference is balanced.
    logit_adjustment        Cross-entropy of logits shifted by tau times the log prior of each class.
    ldam                    Cross-entropy of scaled cosines with larger margins for rarer classes, and
                            class-balanced weights late in the run (DRW).
    class_balanced_softmax  Cross-entropy in which a row weighs by the effective number of objects of
                            its class.
    class_balanced_sigmoid  Sigmoid cross-entropy in which a row weighs by the effective number of
                            objects of its class.
    class_balanced_focal    Focal loss in which a row weighs by the effective number of objects of its
                            class.
    weighted_ce             Cross-entropy in which a row weighs by the inverse frequency of its class
                            (class_weight).
    weighted_bce            Sigmoid cross-entropy whose positives weigh more the rarer their class
                            (pos_weight).

                            for one-stage detectors
    focal                   Sigmoid cross-entropy that fades where it is right already: the usual loss
                            of one-stage detectors.
    efl                     Focal loss whose focus grows for classes that were mostly told no: EQL v2
                            for dense heads.
    eqfl                    Quality focal loss whose focus grows for classes that were mostly told no.

                            for plain classification
    softmax_eql             Cross-entropy for classifiers whose margins between two classes follow from
                            their positive gradients so far.
    softmax_eqlv2           Cross-entropy for classifiers, shifted by the log of each class's part of
                            the positive gradients so far.

    `equipoise explain NAME` shows formula, options and traps. Recipes have a detector of two stages, or
    of one with detector.kind=retina_net (recipe `dense`); losses for plain classification are for
    models of your own, through the library `equipoise-loss`.
    "#);
}

#[test]
fn a_card_is_explained() {
    insta::assert_snapshot!(fine(here(), &["explain", "eqlv2"]), @r#"
    EQL v2 (eqlv2)
    Re-weighs positive and negative gradients of each class by the ratio it has received so far.

    formula   w_ij = t_ij q_j + (1 - t_ij) r_j
              r_j = 1 / (1 + exp(-gamma (g_j - mu)))
              q_j = 1 + alpha (1 - r_j)
              L = (1/R) sum_ij w_ij BCE(z_ij, t_ij)
    for       two-stage detectors, one-stage detectors
    needs     nothing
    scores    sigmoid(z_j) * (1 - sigmoid(z_K)); sigmoid(z_j) without a background column
    state     P and M, the accumulated re-weighted gradients of each class; g = P / (M + 1e-10), 100
              before the first; they move once for each step, or in each forward pass as in the authors'
              code with `ledger = 'forward'` in the recipe
    traps     made for proposals of two-stage heads: on dense one-stage heads easy background floods the
              sums (use efl, or dense with easy_background); needs the prior bias and its own scores;
              with a discount a rare class forgets everything between two of its objects
    paper     Equalization Loss v2: A New Gradient Balance Approach for Long-tailed Object Detection,
              CVPR 2021, arXiv 2012.08548

    option                 default  meaning
    ───────────────────────────────────────────────────────────────────────────────────────────────
    gamma                     12.0  steepness of f
    mu                         0.8  ratio at which a negative weighs one half
    alpha                      4.0  strength of the positive side
    prior                    0.001  prior probability behind the initial bias of the classes
    background_prior         0.001  the same for the background column; 0.5 is neutral
    background                true  add a background column K, the paper's objectness branch
    score_with_background     true  multiply scores by 1 - s_K
    active                    true  weigh the gradients; false only records them
    discount                   1.0  what is left of P and M at each step; 0.965 remembers 29 steps
                                    (a branch of the authors' code has it)
    federated_ledger         false  teach unjudged classes as published, but keep them out of P and
                                    M (ours)
    easy_background            0.0  background rows that score below it stay out of M, for dense
                                    heads (ours)
    dense                    false  divide by foreground rows and have no background column, for
                                    dense heads (ours)
    loss_weight                1.0  factor of the loss; the ledger does not see it

    In a recipe:

      [loss]
      name = "eqlv2"
      gamma = 12.0

    On the command line: --loss eqlv2 --set loss.gamma=12.0
    "#);
}

#[test]
fn every_card_is_complete_in_text_and_json() {
    let cards: Value = serde_json::from_str(&fine(here(), &["losses", "--json"])).unwrap();
    let cards = cards.as_array().unwrap();
    assert!(cards.len() >= 25);
    for card in cards {
        let name = card["name"].as_str().unwrap();
        let text = fine(here(), &["explain", name]);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        for field in ["title", "scores"] {
            assert!(text.contains(card[field].as_str().unwrap()), "{name} does not show its {field}");
        }
        for option in card["options"].as_array().unwrap() {
            assert!(text.contains(option["name"].as_str().unwrap()), "{name} hides an option");
        }
        let one: Value = serde_json::from_str(&fine(here(), &["explain", name, "--json"])).unwrap();
        assert_eq!(&one, card);
    }
}

#[test]
fn an_unknown_loss_suggests_the_nearest() {
    let error = refused(here(), &["explain", "eql-v2x"]);
    assert!(error.contains("did you mean `eqlv2`?"), "{error}");
    let error = refused(here(), &["explain", "zzz"]);
    assert!(
        error.contains("known losses: softmax_ce, sigmoid_bce, eqlv2, eql, seesaw") && !error.contains("did you mean"),
        "{error}"
    );
}
