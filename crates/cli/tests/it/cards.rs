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
    name         title        what it does
    ──────────────────────────────────────────────────────────────────────────────────────────────
    softmax_ce   Softmax CE   Cross-entropy over all classes and background: the usual loss of
                              two-stage detectors.
    sigmoid_bce  Sigmoid BCE  Plain sigmoid cross-entropy: the baseline that EQL v2 re-weights.
    eqlv2        EQL v2       Re-weighs positive and negative gradients of each class by the ratio
                              it has received so far.

    `equipoise explain NAME` shows formula, options and traps.
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
    scores    sigmoid(z_j) * (1 - sigmoid(z_K))
    state     P and M, the accumulated re-weighted gradients of each class; g = P / (M + 1e-10), 100
              before the first
    traps     made for proposals of two-stage heads: on dense one-stage heads easy background floods the
              sums; needs the prior bias and its own scores
    paper     Equalization Loss v2: A New Gradient Balance Approach for Long-tailed Object Detection,
              CVPR 2021, arXiv 2012.08548

    option                 default  meaning
    ──────────────────────────────────────────────────────────────────────────────────
    gamma                     12.0  steepness of f
    mu                         0.8  ratio at which a negative weighs one half
    alpha                      4.0  strength of the positive side
    prior                    0.001  prior probability behind the initial bias of the
                                    classes
    background_prior         0.001  the same for the background column; 0.5 is neutral
    score_with_background     true  multiply scores by 1 - s_K
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
    assert!(cards.len() >= 3);
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
        error.contains("known losses: softmax_ce, sigmoid_bce, eqlv2") && !error.contains("did you mean"),
        "{error}"
    );
}
