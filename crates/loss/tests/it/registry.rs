//! The registry: complete cards, options that are what the card says, and errors that show the way.

use equipoise_loss::registry::{self, LOSSES, Options};
use equipoise_loss::{LossError, Result};
use serde_json::{Value, json};

use crate::batch::facts;

fn build(entry: &registry::Entry, options: &Options) -> Result<Box<dyn equipoise_loss::ClassLoss>> {
    entry.build(options, &facts(5))
}

/// The options in the text of a loss.
fn config_of(text: &str) -> &str {
    let config = text.split_once("config: ").expect("a loss shows its config").1;
    &config[..config.find('}').unwrap()]
}

fn options(value: Value) -> Options {
    value.as_object().unwrap().clone()
}

fn error<T>(result: Result<T>) -> LossError {
    result.err().expect("this must be refused")
}

#[test]
fn cards_are_complete() {
    for entry in LOSSES {
        let card = &entry.card;
        let texts =
            [card.title, card.summary, card.paper, card.needs, card.formula, card.scores, card.state, card.traps];
        assert!(!card.heads.is_empty(), "{}", card.name);
        assert!(texts.iter().all(|text| !text.trim().is_empty()), "{}", card.name);
        assert!(card.summary.ends_with('.'), "{}: the summary is a sentence", card.name);
        let plain = |name: char| name.is_ascii_lowercase() || name.is_ascii_digit() || name == '_';
        assert!(card.name.chars().all(plain), "{}: names are snake case", card.name);
        let arxiv = card.paper.split("arXiv ").nth(1).unwrap_or_default();
        assert!(
            arxiv.len() == 10 && arxiv.chars().all(|digit| digit.is_ascii_digit() || digit == '.'),
            "{}: the paper ends with its arXiv id, not with `{arxiv}`",
            card.name
        );
        assert!(
            card.options.iter().all(|(name, default, meaning)| {
                !name.is_empty() && !default.is_empty() && !meaning.trim().is_empty()
            })
        );
        assert_eq!(*card, build(entry, &Options::new()).unwrap().card());
        assert_eq!(registry::find(card.name).unwrap().card, *card);
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> = LOSSES.iter().map(|entry| entry.card.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), LOSSES.len());
}

/// The card's defaults are the config's: a loss built from them is the loss built from nothing.
#[test]
fn options_of_the_card_are_those_of_the_config() {
    for entry in LOSSES {
        let plain = format!("{:?}", build(entry, &Options::new()).unwrap());
        let mut all = Options::new();
        for (name, default, _) in entry.card.options {
            let value: Value = serde_json::from_str(default).unwrap();
            let built = build(entry, &options(json!({ *name: value.clone() }))).unwrap();
            assert_eq!(format!("{built:?}"), plain, "{}: default of {name}", entry.card.name);
            assert!(
                config_of(&plain).contains(&format!("{name}: {default}")),
                "{}: {name} is not in {plain}",
                entry.card.name
            );
            all.insert(name.to_string(), value);
        }
        assert_eq!(format!("{:?}", build(entry, &all).unwrap()), plain);
        let fields = config_of(&plain).matches(": ").count();
        assert_eq!(fields, all.len(), "{}: the card lists every field of {plain}", entry.card.name);
    }
}

#[test]
fn an_option_changes_the_loss() {
    for entry in LOSSES {
        let plain = format!("{:?}", build(entry, &Options::new()).unwrap());
        for (name, default, _) in entry.card.options {
            let other = match *default {
                "true" => json!(false),
                "false" => json!(true),
                "0.0" => json!(0.25),
                number if number.contains('.') => json!(number.parse::<f64>().unwrap() / 2.0),
                number => json!(number.parse::<u64>().unwrap() / 2),
            };
            let built = build(entry, &options(json!({ *name: other }))).unwrap();
            assert_ne!(config_of(&format!("{built:?}")), config_of(&plain), "{}: {name}", entry.card.name);
        }
    }
}

#[test]
fn an_unknown_option_names_the_nearest_and_lists_the_known() {
    for entry in LOSSES {
        let text = error(build(entry, &options(json!({ "no_such_thing": 1 })))).to_string();
        assert!(text.contains("`no_such_thing`") && text.contains(entry.card.name), "{text}");
        assert!(!text.contains("did you mean"), "{text}");
        for (name, ..) in entry.card.options {
            assert!(text.contains(name), "{text}");
        }
        let text = error(build(entry, &options(json!({ "loss-weigth": 1 })))).to_string();
        assert!(text.contains("did you mean `loss_weight`?"), "{text}");
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for (loss, option, value) in [
        ("eqlv2", "gamma", json!(0)),
        ("eqlv2", "gamma", json!(-12)),
        ("eqlv2", "alpha", json!(-0.5)),
        ("eqlv2", "prior", json!(0)),
        ("eqlv2", "prior", json!(1)),
        ("eqlv2", "background_prior", json!(1.5)),
        ("eqlv2", "loss_weight", json!(-1)),
        ("sigmoid_bce", "prior", json!(-0.1)),
        ("sigmoid_bce", "background_prior", json!(1)),
        ("sigmoid_bce", "loss_weight", json!(-1)),
        ("softmax_ce", "loss_weight", json!(-1)),
    ] {
        let text = error(registry::build(loss, &options(json!({ option: value })), &facts(5))).to_string();
        assert!(text.contains(&format!("`{option}` must be ")), "{loss}: {text}");
    }
}

#[test]
fn values_of_a_wrong_type_are_refused() {
    for entry in LOSSES {
        for (name, ..) in entry.card.options {
            for value in [json!("much"), json!(null), json!([1]), json!({})] {
                let result = build(entry, &options(json!({ *name: value })));
                assert!(matches!(error(result), LossError::Option { loss, .. } if loss == entry.card.name));
            }
        }
    }
}

#[test]
fn an_unknown_loss_names_the_nearest() {
    for (name, nearest) in [
        ("eql_v2", "eqlv2"),
        ("EQLv2", "eqlv2"),
        ("eqlv3", "eqlv2"),
        ("softmax", "softmax_ce"),
        ("sigmoid-bce", "sigmoid_bce"),
        ("sigmod_bce", "sigmoid_bce"),
    ] {
        let text = error(registry::build(name, &Options::new(), &facts(5))).to_string();
        assert!(text.contains(&format!("did you mean `{nearest}`?")), "{text}");
        assert!(LOSSES.iter().all(|entry| text.contains(entry.card.name)), "{text}");
    }
    for name in ["", "x", "transformer"] {
        let text = error(registry::find(name)).to_string();
        assert!(!text.contains("did you mean"), "{text}");
        assert!(LOSSES.iter().all(|entry| text.contains(entry.card.name)), "{text}");
    }
}
