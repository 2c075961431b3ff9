//! Recipes: what they fill in, what they refuse, and what they suggest.

use equipoise_loss::TrainingFacts;
use equipoise_train::{Recipe, ScheduleKind};

fn parse(text: &str, overrides: &[&str]) -> Result<Recipe, String> {
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    Recipe::parse("r.toml", text, &overrides).map_err(|error| error.to_string())
}

#[test]
fn an_empty_recipe_is_the_default_and_writes_itself() {
    let recipe = parse("", &[]).unwrap();
    assert_eq!(recipe, Recipe::default());
    assert_eq!(parse(&recipe.to_toml(), &[]).unwrap(), recipe);
}

#[test]
fn the_one_that_set_a_wrong_value_is_named() {
    let error = parse("", &["batch=0"]).unwrap_err();
    assert!(error.contains("--set batch=0") && !error.contains("r.toml"), "{error}");
    let error = parse("batch = 0", &["epochs=1"]).unwrap_err();
    assert!(error.contains("r.toml") && !error.contains("--set"), "{error}");
}

#[test]
fn options_of_a_loss_survive_the_file() {
    let recipe = parse("[loss]\nname = \"eqlv2\"\ngamma = 10.0\nmu = 0.5", &[]).unwrap();
    assert_eq!(parse(&recipe.to_toml(), &[]).unwrap(), recipe);
    assert!(recipe.loss.build(&TrainingFacts::default()).is_ok());
}

#[test]
fn overrides_win_and_may_leave_quotes_out() {
    let text = "batch = 4\n[optimizer]\nlr = 0.1";
    let overrides = [
        "batch=8",
        "optimizer.lr=0.5",
        "loss.name=softmax_ce",
        "schedule.kind=\"cosine\"",
        "schedule.milestones=[0.5]",
    ];
    let recipe = parse(text, &overrides).unwrap();
    assert_eq!((recipe.batch, recipe.optimizer.lr), (8, 0.5));
    assert_eq!((recipe.loss.name.as_str(), recipe.schedule.kind), ("softmax_ce", ScheduleKind::Cosine));
    assert_eq!(recipe.schedule.milestones, [0.5]);
    // A key of a part that the file does not mention.
    assert_eq!(parse("", &["detector.roi.hidden=64"]).unwrap().detector.roi.hidden, 64);
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let error = parse("[optimizer]\nlearning_rte = 1", &[]).unwrap_err();
    assert!(error.contains("r.toml") && error.contains("learning_rte"), "{error}");
    for (wrong, right) in
        [("ephocs=3", "epochs"), ("optimizer.clip_nrom=1", "clip_norm"), ("detector.roi.hiden=8", "hidden")]
    {
        let error = parse("", &[wrong]).unwrap_err();
        assert!(error.contains(wrong) && error.contains(&format!("did you mean `{right}`?")), "{error}");
    }
}

#[test]
fn an_option_of_a_sampler_that_is_none_is_refused() {
    let error = parse("[sampler]\nname = \"repeat-factor\"\nrepeat_treshold = 0.5", &[]).unwrap_err();
    assert!(error.contains("repeat_treshold"), "{error}");
    let recipe = parse("[sampler]\nrepeat_threshold = 0.5", &[]).unwrap();
    assert_eq!((recipe.sampler.name.as_str(), recipe.sampler.options.repeat_threshold), ("uniform", 0.5));
    assert_eq!(parse(&recipe.to_toml(), &[]).unwrap(), recipe);
}

#[test]
fn a_mistake_in_the_file_has_its_line() {
    let error = parse("batch = 2\nepochs = \"many\"", &[]).unwrap_err();
    assert!(error.contains("line 2"), "{error}");
    assert!(parse("batch = ", &[]).unwrap_err().contains("line 1"));
}

#[test]
fn values_out_of_range_name_their_key() {
    let wrong = [
        "epochs=0",
        "epochs=nan",
        "batch=0",
        "accumulate=0",
        "ema=1.0",
        "log_every=0",
        "optimizer.lr=nan",
        "optimizer.lr=-1",
        "optimizer.momentum=1.5",
        "optimizer.weight_decay=inf",
        "optimizer.clip_norm=-1",
        "schedule.factor=2",
        "schedule.warmup_factor=nan",
        "schedule.milestones=[1.5]",
    ];
    for item in wrong {
        let key = item.split('=').next().unwrap();
        let error = parse("", &[item]).expect_err(item);
        assert!(error.contains(&format!("`{key}` must be")), "{error}");
    }
}

#[test]
fn overrides_that_are_none_are_refused() {
    assert!(parse("", &["batch"]).unwrap_err().contains("key=value"));
    assert!(parse("", &["batch.size=3"]).is_err());
    assert!(parse("batch = 3", &["batch.size=3"]).unwrap_err().contains("`batch` is a value"));
    assert!(parse("", &["=3"]).is_err());
}

#[test]
fn an_unknown_loss_or_option_is_known_when_it_is_built() {
    let error = parse("", &["loss.name=eqlv3"]).unwrap().loss.build(&TrainingFacts::default()).unwrap_err().to_string();
    assert!(error.contains("did you mean `eqlv2`"), "{error}");
    let error = parse("", &["loss.gama=3"]).unwrap().loss.build(&TrainingFacts::default()).unwrap_err().to_string();
    assert!(error.contains("did you mean `gamma`"), "{error}");
}

/// The recipes in the repository are whole: a key that is gone would be found by whoever repeats an experiment.
#[test]
fn recipes_of_the_repository_are_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let mut read = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        Recipe::read(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
        read += 1;
    }
    assert!(read >= 2);
}
