//! The report: its claims against the numbers, its structure, its escaping, and runs that are not what they should be.

use std::fs;

use equipoise_eval::record::{Metrics, RunMeta, RunRecord};
use equipoise_eval::report::{Check, DEMO_NOTES, ReportInput, comparison_table, headline, ratio_check, write_report};

use crate::synthetic::{run, sets};

fn scored(title: &str, loss: &str, ap: f64, apr: f64) -> RunRecord {
    let mut metrics = Metrics::default();
    metrics.set("AP", Some(ap));
    metrics.set("APr", Some(apr));
    let meta = RunMeta { name: title.to_lowercase(), title: title.into(), loss: loss.into(), ..RunMeta::default() };
    RunRecord { meta, metrics: Some(metrics), ..RunRecord::default() }
}

fn against_baseline(ap: f64, apr: f64) -> String {
    headline(&[scored("Sigmoid BCE", "sigmoid", 0.20, 0.05), scored("EQL v2", "eqlv2", ap, apr)])
}

#[test]
fn the_headline_claims_what_the_numbers_say() {
    insta::assert_snapshot!(against_baseline(0.21, 0.09), @"EQL v2 finds rare classes better than Sigmoid BCE (APr 9.0 against 5.0, +4.0) and is better overall too (AP 21.0 against 20.0, +1.0). One training each proves little: another seed can move these numbers by a few points.");
    insta::assert_snapshot!(against_baseline(0.19, 0.09), @"EQL v2 finds rare classes better than Sigmoid BCE (APr 9.0 against 5.0, +4.0) but is worse overall (AP 19.0 against 20.0, −1.0). One training each proves little: another seed can move these numbers by a few points.");
    insta::assert_snapshot!(against_baseline(0.202, 0.09), @"EQL v2 finds rare classes better than Sigmoid BCE (APr 9.0 against 5.0, +4.0) and costs nothing visible overall (AP 20.2 against 20.0, +0.2). One training each proves little: another seed can move these numbers by a few points.");
    insta::assert_snapshot!(against_baseline(0.19, 0.03), @"EQL v2 finds rare classes worse than Sigmoid BCE (APr 3.0 against 5.0, −2.0) and is worse overall (AP 19.0 against 20.0, −1.0). One training each proves little: another seed can move these numbers by a few points.");
    insta::assert_snapshot!(against_baseline(0.22, 0.052), @"EQL v2 is no better on rare classes than Sigmoid BCE (APr 5.2 against 5.0, +0.2) but is better overall (AP 22.0 against 20.0, +2.0). One training each proves little: another seed can move these numbers by a few points.");
    insta::assert_snapshot!(against_baseline(0.20, 0.05), @"EQL v2 is no better on rare classes than Sigmoid BCE (APr 5.0 against 5.0, ±0.0) and scores alike overall (AP 20.0 against 20.0, ±0.0). One training each proves little: another seed can move these numbers by a few points.");
}

#[test]
fn the_headline_without_two_scored_runs() {
    let bare = RunRecord { meta: RunMeta { title: "EQL v2".into(), ..RunMeta::default() }, ..RunRecord::default() };
    insta::assert_snapshot!(headline(&[]), @"There is no run.");
    insta::assert_snapshot!(headline(std::slice::from_ref(&bare)), @"EQL v2 is not scored yet.");
    insta::assert_snapshot!(headline(&[scored("Sigmoid BCE", "sigmoid", 0.2, 0.05)]), @"Sigmoid BCE reaches AP 20.0.");
    insta::assert_snapshot!(headline(&[scored("Sigmoid BCE", "sigmoid", 0.2, 0.05), bare]), @"EQL v2 and Sigmoid BCE cannot be compared yet: not both are scored.");
}

#[test]
fn seeds_are_averaged_and_the_first_is_named() {
    let runs = [
        scored("Sigmoid BCE", "sigmoid", 0.20, 0.05),
        scored("EQL v2", "eqlv2", 0.20, 0.10),
        scored("Softmax", "softmax", 0.30, 0.02),
        scored("Sigmoid BCE", "sigmoid", 0.22, 0.07),
        scored("EQL v2", "eqlv2", 0.24, 0.08),
    ];
    insta::assert_snapshot!(headline(&runs), @"EQL v2 finds rare classes better than Sigmoid BCE (APr 9.0 against 6.0, +3.0) and is better overall too (AP 22.0 against 21.0, +1.0). Of all 3, EQL v2 is first on rare classes (APr 9.0) and Softmax overall (AP 30.0). Means of 2 trainings; the spread over seeds is in the table.");
}

#[test]
fn the_terminal_shows_differences_to_the_first_run() {
    let runs = [scored("Sigmoid BCE", "sigmoid", 0.20, 0.05), scored("EQL v2", "eqlv2", 0.21, 0.09)];
    insta::assert_snapshot!(comparison_table(&runs).render(), @"
    run                 AP  AP50  AP75   APr  APc  APf  AR
    ──────────────────────────────────────────────────────
    Sigmoid BCE       20.0     –     –   5.0    –    –   –
    EQL v2            21.0     –     –   9.0    –    –   –
      vs Sigmoid BCE  +1.0     –     –  +4.0    –    –   –
    ");
    assert_eq!(comparison_table(&[]).render().lines().count(), 2);
}

#[test]
fn the_interval_speaks_only_with_classes() {
    let (train, val) = sets(40, None);
    let runs = [run("a", "A", "a", 0.05, 1, &train, &val), run("b", "B", "b", 0.6, 1, &train, &val)];
    assert!(headline(&runs).contains("more than luck with the choice of classes"), "{}", headline(&runs));
    let same = [run("a", "A", "a", 0.3, 1, &train, &val), run("b", "B", "b", 0.3, 2, &train, &val)];
    assert!(headline(&same).contains("luck with the choice of classes can explain it"), "{}", headline(&same));
    assert!(!headline(&same).contains("finds rare classes"), "{}", headline(&same));
}

#[test]
fn the_check_follows_the_median_ratio_of_rare_classes() {
    let (train, val) = sets(40, None);
    let mut eql = run("eqlv2", "EQL v2", "eqlv2", 0.3, 1, &train, &val);
    let mut with = |ratio: f64| {
        let r = 1.0 / (1.0 + (-12.0 * (ratio - 0.8)).exp());
        eql.ledger.iter_mut().for_each(|row| (row.ratio, row.q, row.r) = (ratio, 1.0 + 4.0 * (1.0 - r), r));
        ratio_check(&eql).unwrap()
    };
    let acts = with(0.4);
    assert!(acts.passed);
    insta::assert_snapshot!(acts.text, @"Median gradient ratio g of rare classes under EQL v2 after 2000 steps is 0.40: below 0.6, the tail is as far out of balance as in LVIS and the method acts in full (median weights: positives 4.97, negatives 0.01).");
    let partly = with(0.84);
    assert!(!partly.passed);
    insta::assert_snapshot!(partly.text, @"Median gradient ratio g of rare classes under EQL v2 after 2000 steps is 0.84: not below 0.6, the tail is less out of balance than in LVIS and the method acts in part (median weights: positives 2.53, negatives 0.62).");
    let off = with(1.2);
    assert!(!off.passed);
    insta::assert_snapshot!(off.text, @"Median gradient ratio g of rare classes under EQL v2 after 2000 steps is 1.20: not below 0.6, the tail is in balance and the method is nearly switched off (median weights: positives 1.03, negatives 0.99).");
    eql.ledger.iter_mut().for_each(|row| row.step = 40);
    let early = ratio_check(&eql).unwrap().text;
    assert!(early.contains("after 40 steps") && early.contains("so early"), "{early}");
    assert_eq!(ratio_check(&RunRecord::default()), None);
}

/// A page out of hostile names; `<script>` may only be the page's own.
fn page(pictures: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (mut train, mut val) = sets(24, pictures.then_some(folder.path()));
    train.categories[0].name = "<script>alert('x')</script> & \"co\"".into();
    val.categories[0].name.clone_from(&train.categories[0].name);
    let mut runs = vec![
        run("baseline", "Sigmoid <b>BCE</b>", "sigmoid", 0.1, 1, &train, &val),
        run("eql/../v2", "EQL v2", "eqlv2", 0.5, 1, &train, &val),
        run("softmax", "Softmax", "softmax", 0.2, 1, &train, &val),
    ];
    runs[0].warnings.push("the last line of `history.csv` is cut off & <gone>".into());
    runs[2].classes[3].detections = 0;
    let rows = &mut runs[2].diagnosis.as_mut().unwrap().classes;
    (rows[0].never_predicted, rows[3].never_predicted) = (true, true);
    runs[0].diagnosis.as_mut().unwrap().classes[5].never_in_validation = true;
    let input = ReportInput {
        title: "A <title>",
        runs: &runs,
        train: &train,
        val: &val,
        checks: &[Check { passed: false, text: "memory 4 GiB > 3 GiB".into() }],
        notes: DEMO_NOTES,
        credits: "Emoji by <Twemoji>, CC-BY 4.0\n\nSecond paragraph",
    };
    let out = folder.path().join("out");
    let path = write_report(&out, &input).unwrap();
    assert_eq!(path, out.join("report.html"));
    let mut names: Vec<String> =
        fs::read_dir(out.join("figures")).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "class_ap",
            "class_fates",
            "class_histogram",
            "class_or_box",
            "error_costs",
            "gradient_ratio",
            "loss_curves",
            "ratio_over_steps_baseline",
            "ratio_over_steps_eql_.._v2",
            "reliability",
            "score_curves",
            "score_difference",
            "top_confusions"
        ]
        .iter()
        .flat_map(|name| [format!("{name}.png"), format!("{name}.svg")])
        .collect::<Vec<_>>()
    );
    let again = folder.path().join("again");
    write_report(&again, &input).unwrap();
    let html = fs::read_to_string(&path).unwrap();
    assert_eq!(html, fs::read_to_string(again.join("report.html")).unwrap(), "the same runs give the same page");
    html
}

#[test]
fn the_page_is_whole_offline_and_escaped() {
    let html = page(true);
    assert!(html.len() < 4_000_000, "{} bytes", html.len());
    for section in [
        "result",
        "changes",
        "ratio",
        "steps",
        "classes-ap",
        "diagnosis",
        "table",
        "gallery",
        "scores",
        "losses",
        "tail",
        "settings",
        "notes",
        "credits",
    ] {
        assert!(
            html.contains(&format!("<section id=\"{section}\">")) && html.contains(&format!("href=\"#{section}\"")),
            "{section}"
        );
    }
    for name in [
        "Sigmoid &lt;b&gt;BCE&lt;/b&gt;",
        "EQL v2",
        "Softmax",
        "A &lt;title&gt;",
        "memory 4 GiB &gt; 3 GiB",
        "&lt;gone&gt;",
        "&lt;Twemoji&gt;",
    ] {
        assert!(html.contains(name), "{name}");
    }
    assert!(
        !html.contains("<script>alert")
            && !html.contains("<b>BCE")
            && html.contains("&lt;script&gt;alert(&#39;x&#39;)")
    );
    assert_eq!(html.matches("<script").count(), 2, "the numbers and the script");
    assert!(html.contains("<span class=\"missed\">never</span>"), "a class that is never claimed is marked");
    let silent = html.split("<ul class=\"silent\">").nth(1).unwrap().split("</ul>").next().unwrap();
    let lines: Vec<&str> = silent.lines().filter(|line| line.starts_with("<li>")).collect();
    assert!(
        lines.len() == 2 && lines[0].contains("Softmax never predicts:") && lines[0].contains("&lt;script&gt;"),
        "{silent}"
    );
    assert!(lines[0].matches("data-class=").count() == 2 && lines[0].contains("data-class=\"3\""), "{silent}");
    assert!(lines[1].contains("Never in the validation set") && lines[1].contains("data-class=\"5\""), "{silent}");
    balanced(&html);
}

/// Nothing is fetched: every reference is an anchor or data, and no style or script names an address.
#[test]
fn nothing_is_loaded_from_elsewhere() {
    let html = page(true);
    for attribute in [" href=\"", " src=\""] {
        for reference in html.split(attribute).skip(1) {
            assert!(
                reference.starts_with('#') || reference.starts_with("data:image/jpeg;base64,"),
                "{}",
                &reference[..40]
            );
        }
    }
    for loader in ["url(", "@import", "fetch(", "<link", "<iframe", "<img"] {
        assert!(!html.contains(loader), "{loader}");
    }
    let addresses = html.matches("://").count();
    assert_eq!(
        addresses,
        html.matches("\"http://www.w3.org/2000/svg\"").count(),
        "only the name of SVG looks like an address"
    );
}

#[test]
fn the_gallery_shows_the_rarest_classes_first_and_both_detectors() {
    let html = page(true);
    let gallery = &html[html.find("<section id=\"gallery\">").unwrap()..];
    let gallery = &gallery[..gallery.find("<template").unwrap_or(gallery.find("</section>").unwrap())];
    let groups: Vec<&str> = gallery
        .split("<h3>")
        .skip(1)
        .map(|card| card.split("class=\"chip ").nth(1).unwrap().split('"').next().unwrap())
        .collect();
    let mut sorted = groups.clone();
    sorted.sort_by_key(|group| ["rare", "common", "frequent"].iter().position(|g| g == group));
    assert!(groups.len() >= 6 && groups == sorted, "{groups:?}");
    assert_eq!(gallery.matches("<image id=").count(), groups.len(), "each picture is in the page once");
    assert_eq!(gallery.matches("<use href=").count(), 3 * groups.len(), "truth, baseline and EQL v2");
    assert_eq!(gallery.matches("<b>EQL v2</b>").count(), groups.len());
    assert_eq!(gallery.matches("<b>Softmax</b>").count(), 0);
    assert!(gallery.contains("found, score 0.") && gallery.contains(" missed"));
}

/// The numbers of the script are those of the runs, and every class has a picture where the validation set has one.
#[test]
fn the_script_has_the_numbers_and_the_pictures() {
    let html = page(true);
    let json = html.split("id=\"numbers\">").nth(1).unwrap().split("</script>").next().unwrap();
    assert!(!json.contains('<'), "nothing inside can end the element");
    let numbers: serde_json::Value = serde_json::from_str(json).unwrap();
    let (train, val) = sets(24, None);
    let eql = run("eql/../v2", "EQL v2", "eqlv2", 0.5, 1, &train, &val);
    assert_eq!(numbers["classes"][0][0], "<script>alert('x')</script> & \"co\"");
    assert_eq!(numbers["classes"][7][3], train.categories[7].instances);
    let told = &numbers["runs"][1];
    assert_eq!((&told["label"], told["steps"].as_array().unwrap().len()), (&"EQL v2".into(), 6));
    let last = eql.ledger.iter().find(|row| row.step == 2000 && row.class_index == 7).unwrap();
    assert_eq!(told["ratios"][5][7], (last.ratio * 1000.0).round() as u64);
    assert_eq!(told["weights"][7][0], (last.q * 1000.0).round() as u64);
    assert_eq!(told["scores"][7][2], eql.classes[7].detections);
    for class in 0..24 {
        let shown = html
            .split("data-shows=\"")
            .skip(1)
            .any(|card| card.split('"').next().unwrap().split(' ').any(|shown| shown == class.to_string()));
        assert!(shown, "class {class} has no picture");
        assert!(html.contains(&format!("data-class=\"{class}\"")), "class {class} cannot be asked for");
    }
}

/// Text on its ground has 4.5 to 1, edges of controls and lines of figures 3 to 1, in both schemes (WCAG 2.2, 1.4.3 and 1.4.11).
#[test]
fn colours_stand_out() {
    let css = include_str!("../../src/report/page.css");
    let scheme = |at: usize| -> std::collections::BTreeMap<&str, &str> {
        let block = css.split(":root{").nth(at).unwrap().split('}').next().unwrap();
        block.split(';').filter_map(|rule| rule.trim().strip_prefix("--")?.split_once(':')).collect()
    };
    for (at, name) in [(1, "light"), (2, "dark")] {
        let colours = scheme(at);
        let check = |front: &str, back: &str, least: f64| {
            let ratio = contrast(colours[front], colours[back]);
            assert!(ratio >= least, "{name}: {front} on {back} is {ratio:.2} to 1");
        };
        for front in ["text", "muted", "up", "down", "rare", "common", "frequent", "accent"] {
            ["paper", "back"].iter().for_each(|back| check(front, back, 4.5));
        }
        ["text", "warn"].iter().for_each(|front| check(front, "warnback", 4.5));
        ["text", "up"].iter().for_each(|front| check(front, "passback", 4.5));
        check("edge", "paper", 3.0);
    }
    let html = page(false);
    let rules = html.split("screen and (prefers-color-scheme:dark){.").nth(1).unwrap();
    for run in 0..3 {
        let dark = rules.split(&format!("s-run{run}{{stroke:")).nth(1).unwrap().split('}').next().unwrap();
        assert!(contrast(dark, scheme(2)["paper"]) >= 3.0, "{dark}");
        let class = format!("class=\"s-run{run}\"");
        let light = html.split(&class).next().unwrap().rsplit("stroke=\"").next().unwrap().split('"').next().unwrap();
        assert!(contrast(light, "#ffffff") >= 3.0, "{light}");
    }
}

/// Contrast of two colours by WCAG 2.2.
fn contrast(a: &str, b: &str) -> f64 {
    let luminance = |hex: &str| -> f64 {
        let hex = hex.trim_start_matches('#');
        let digits: String = if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.into() };
        let linear = |at: usize| {
            let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(0) + 0.7152 * linear(2) + 0.0722 * linear(4)
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// The best AP first, whatever the order of the runs; differences are to the first run, with deviations over seeds.
#[test]
fn the_leaderboard_is_sorted_and_says_how_sure_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (train, val) = sets(24, None);
    let mut runs = vec![
        run("a", "Baseline", "sigmoid", 0.05, 1, &train, &val),
        run("b", "Worst", "x", 0.0, 1, &train, &val),
        run("c", "Best", "eqlv2", 0.9, 1, &train, &val),
        run("d", "Best", "eqlv2", 0.8, 2, &train, &val),
    ];
    for (run, ap) in runs.iter_mut().zip([0.2, 0.1, 0.4, 0.3]) {
        run.metrics.as_mut().unwrap().set("AP", Some(ap));
    }
    let input = ReportInput { title: "t", runs: &runs, train: &train, val: &val, checks: &[], notes: "", credits: "" };
    let html = fs::read_to_string(write_report(folder.path(), &input).unwrap()).unwrap();
    let table = html.split("<table class=\"numbers leaders\">").nth(1).unwrap().split("</table>").next().unwrap();
    let rows: Vec<&str> = table.split("<tr>").skip(2).collect();
    let names: Vec<&str> = rows.iter().map(|row| row.split(['>', '<']).nth(2).unwrap()).collect();
    assert_eq!(names, ["Best", "Baseline", "Worst"]);
    assert!(rows[0].contains("mean of 2 runs") && rows[0].contains("<b>35.0<small>± 7.1</small></b>"), "{}", rows[0]);
    // Seed 1 is what both have.
    assert!(rows[0].contains("<small class=\"up\">+20.0</small><small class=\"interval\">"), "{}", rows[0]);
    assert!(rows[1].contains("seed 1, baseline") && !rows[1].contains("class=\"up\""), "{}", rows[1]);
    assert!(rows[2].contains("<small class=\"down\">−10.0</small>"), "{}", rows[2]);
    let one = ReportInput { runs: &runs[..1], ..input };
    let html = fs::read_to_string(write_report(folder.path(), &one).unwrap()).unwrap();
    assert!(!html.contains("class=\"numbers leaders\"") && html.contains("<table class=\"numbers\">"));
}

#[test]
fn pictures_that_cannot_be_read_are_named() {
    let html = page(false);
    assert!(
        html.contains("Left out, since they cannot be read: ") && html.contains(".png ("),
        "the missing pictures are named"
    );
}

#[test]
fn of_many_runs_the_first_seed_of_each_method_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let (train, val) = sets(5, None);
    let methods =
        [("Baseline", "sigmoid"), ("Two", "x"), ("Three", "x"), ("Four", "x"), ("Five", "x"), ("Last", "eqlv2")];
    let with_seeds = |(title, loss): (&str, &str)| {
        [1, 2].map(|seed| run(&format!("{title}-{seed}"), title, loss, 0.5, seed, &train, &val))
    };
    let runs: Vec<RunRecord> = methods.into_iter().flat_map(with_seeds).collect();
    let input = ReportInput { title: "t", runs: &runs, train: &train, val: &val, checks: &[], notes: "", credits: "" };
    let html = fs::read_to_string(write_report(folder.path(), &input).unwrap()).unwrap();
    assert!(html.contains("show the first seed of each method") && html.contains("Four of 6 runs move"));
    let figure = fs::read_to_string(folder.path().join("figures/gradient_ratio.svg")).unwrap();
    assert!(methods.iter().all(|(title, _)| figure.contains(title)) && !figure.contains("seed"), "{figure}");
    // Baseline and challenger move, and two others.
    let labels: Vec<&str> = html.split("{\"label\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(labels, ["Baseline", "Two", "Three", "Last"]);
}

#[test]
fn a_report_needs_a_run_and_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let (train, val) = sets(3, None);
    let input = |runs| ReportInput { title: "t", runs, train: &train, val: &val, checks: &[], notes: "", credits: "" };
    let error = write_report(folder.path(), &input(&[])).unwrap_err();
    assert!(error.to_string().contains("there is no run"), "{error}");
    let (other_train, other_val) = sets(5, None);
    let foreign = [run("other", "Other", "other", 0.5, 1, &other_train, &other_val)];
    let error = write_report(folder.path(), &input(&foreign)).unwrap_err();
    assert!(
        error.to_string().contains("`other` was scored on 5 classes that are not the 3 of `train.json`"),
        "{error}"
    );
    let bare = [RunRecord::default()];
    let html = fs::read_to_string(write_report(folder.path(), &input(&bare)).unwrap()).unwrap();
    assert!(html.contains("run 1 is not scored yet.") && !html.contains("<section id=\"gallery\">"));
    balanced(&html);
}

/// Every element that is opened is closed, in order: what a browser would silently repair is a mistake here.
fn balanced(html: &str) {
    let void = ["meta", "!doctype", "input"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let (tag, name) = (
            &rest[..end],
            rest.split(|c: char| c.is_whitespace() || c == '>' || c == '/').find(|n| !n.is_empty()).unwrap(),
        );
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "after {:?}", &html[html.len() - rest.len()..][..40]);
        } else if !tag.ends_with('/') && !void.contains(&name) {
            open.push(name);
        }
        if name == "style" || name == "script" {
            let close = format!("</{name}");
            rest = if tag.starts_with('/') { rest } else { &rest[rest.find(&close).expect("style and script end")..] };
        }
    }
    assert!(open.is_empty(), "{open:?} left open");
}
