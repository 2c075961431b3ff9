//! Validation pictures with truth, baseline and challenger side by side, rarest classes first.
//!
//! For each class, from the one with the fewest training pictures upwards, the first validation picture that shows it is taken: no picture is chosen by
//! what a detector made of it. A few are on the page, more wait in a `<template>` until a class is asked for.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use equipoise_data::{Category, Dataset, Group, ImageId, ImageRecord};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;

use super::comparison::Contender;
use super::headline::challenger;
use super::matched::{Shown, shown};
use super::{ReportInput, text};
use crate::detection::Detection;
use crate::figure::ink::{RIGHT, TRUTH, WRONG, group_name};
use crate::figure::svg::{Svg, short};
use crate::figure::thousands;
use crate::overlay::{Mark, overlay};
use crate::record::RunRecord;

/// Pictures of rare, common and frequent classes.
const SHARES: [(Group, usize); 3] = [(Group::Rare, 8), (Group::Common, 3), (Group::Frequent, 2)];
/// Longer side of an embedded picture in pixels.
const SIDE: u32 = 448;
const QUALITY: u8 = 82;
/// Embedded pictures on the page together, in bytes.
const BUDGET: usize = 2_400_000;
/// The pictures that wait are smaller, and have a budget of their own.
const WAITING_SIDE: u32 = 288;
const WAITING_QUALITY: u8 = 74;
const WAITING_BUDGET: usize = 2_400_000;
/// Width of a panel on the screen, which decides how large text is on the picture.
const PANEL: f64 = 340.0;

/// The gallery; `None` when no run kept its detections or no picture shows a class.
pub(super) fn gallery(input: &ReportInput, contenders: &[Contender]) -> Option<String> {
    let pair: Vec<(&str, &RunRecord)> = contenders
        .iter()
        .take(1)
        .chain(challenger(contenders))
        .filter_map(|c| Some((c.title.as_str(), *c.runs.iter().find(|run| !run.detections.is_empty())?)))
        .collect();
    let mut broken = Vec::new();
    let chosen = if pair.is_empty() { Vec::new() } else { choice(input.train, input.val) };
    let mut used: BTreeSet<ImageId> = BTreeSet::new();
    let (mut pictures, mut cards, mut bytes) = (String::new(), String::new(), 0);
    for (class, image) in chosen {
        match embedded(image, SIDE, QUALITY) {
            Err(reason) => broken.push(format!("{} ({reason})", image.path.display())),
            Ok(picture) if bytes + picture.len() <= BUDGET => {
                bytes += picture.len();
                used.insert(image.id);
                pictures += &element(image, &picture);
                cards += &card(input, class, image, &pair);
            }
            Ok(_) => break,
        }
    }
    let left_out = if broken.is_empty() {
        String::new()
    } else {
        format!("<p class=\"aside\">Left out, since they cannot be read: {}.</p>\n", text(broken.join(", ")))
    };
    if used.is_empty() {
        return (!left_out.is_empty()).then_some(left_out);
    }
    let waiting = waiting(input, &pair, used);
    Some(format!("{INTRODUCTION}{}{cards}{left_out}{waiting}", store(&pictures)))
}

/// Cards of classes that no picture on the page shows, as far as the budget goes.
fn waiting(input: &ReportInput, pair: &[(&str, &RunRecord)], mut used: BTreeSet<ImageId>) -> String {
    let classes = |image: &ImageRecord| image.objects.iter().filter(|o| !o.crowd).map(|o| o.class).collect::<Vec<_>>();
    let mut first: BTreeMap<usize, &ImageRecord> = BTreeMap::new();
    let mut covered: BTreeSet<usize> = BTreeSet::new();
    for image in &input.val.images {
        if used.contains(&image.id) {
            covered.extend(classes(image));
        }
        for class in classes(image) {
            first.entry(class).or_insert(image);
        }
    }
    let (mut cards, mut bytes) = (String::new(), 0);
    for (class, _) in rarest_first(input.train) {
        let Some(image) = first.get(&class).filter(|image| !covered.contains(&class) && !used.contains(&image.id))
        else {
            continue;
        };
        // A picture that cannot be read is no loss here: nothing says that every class has one.
        let Ok(picture) = embedded(image, WAITING_SIDE, WAITING_QUALITY) else { continue };
        bytes += picture.len();
        if bytes > WAITING_BUDGET {
            break;
        }
        used.insert(image.id);
        covered.extend(classes(image));
        cards += &card(input, class, image, pair).replacen("\n", &format!("\n{}", store(&element(image, &picture))), 1);
    }
    if cards.is_empty() { cards } else { format!("<template id=\"waiting\">\n{cards}</template>\n") }
}

fn element(image: &ImageRecord, picture: &str) -> String {
    let (id, w, h) = (image.id.0, image.width, image.height);
    format!("<image id=\"pic{id}\" width=\"{w}\" height=\"{h}\" preserveAspectRatio=\"none\" href=\"{picture}\"/>\n")
}

/// Pictures are in the page once, and used by every panel that shows them.
fn store(pictures: &str) -> String {
    format!("<svg class=\"store\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\n{pictures}</defs></svg>\n")
}

/// Classes from the one with the fewest training pictures upwards.
fn rarest_first(train: &Dataset) -> Vec<(usize, &Category)> {
    let mut order: Vec<(usize, &Category)> = train.categories.iter().enumerate().collect();
    order.sort_by_key(|(class, c)| (c.images, c.instances, *class));
    order
}

const INTRODUCTION: &str = "<p>The first validation picture of each class, from the class with the fewest training pictures upwards; none is chosen by what \
a detector made of it. Each detector shows its best claims: as many as there are objects and one more, scores from 0.05.</p>\n\
<p class=\"key\"><span><i class=\"box truth\"></i>truth</span><span><i class=\"box right\"></i>right: class and place agree (IoU ≥ 0.5)</span>\
<span><i class=\"box wrong\"></i>wrong: another class, a loose box, nothing there, or found twice</span></p>\n";

/// Classes with their pictures, by group and then rarest first.
fn choice<'a>(train: &Dataset, val: &'a Dataset) -> Vec<(usize, &'a ImageRecord)> {
    let order = rarest_first(train);
    let mut chosen: Vec<(usize, &ImageRecord)> = Vec::new();
    for (group, share) in SHARES {
        let mut left = share;
        for (class, _) in order.iter().filter(|(_, c)| c.group == group) {
            let fresh = |image: &&ImageRecord| chosen.iter().all(|(_, other)| other.id != image.id);
            let shows = |image: &&ImageRecord| image.objects.iter().any(|o| o.class == *class && !o.crowd);
            if left == 0 {
                break;
            }
            if let Some(image) = val.images.iter().filter(shows).find(fresh) {
                chosen.push((*class, image));
                left -= 1;
            }
        }
    }
    chosen
}

/// The picture as a data URI, no larger than it is shown.
fn embedded(image: &ImageRecord, side: u32, quality: u8) -> Result<String, String> {
    let mut picture = image::open(&image.path).map_err(|error| error.to_string())?.to_rgb8();
    let longer = picture.width().max(picture.height());
    if longer > side {
        let scaled = |length: u32| (length * side / longer).max(1);
        picture =
            image::imageops::resize(&picture, scaled(picture.width()), scaled(picture.height()), FilterType::Triangle);
    }
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(&picture).map_err(|error| error.to_string())?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)))
}

fn card(input: &ReportInput, class: usize, image: &ImageRecord, pair: &[(&str, &RunRecord)]) -> String {
    let category = &input.train.categories[class];
    let truth: Vec<Mark> =
        image.objects.iter().map(|o| mark(o.bbox, name(input.train, o.class), TRUTH, o.crowd)).collect();
    let mut panels = panel(image, "truth", "", "", &truth);
    for (title, run) in pair {
        let own: Vec<&Detection> = run.detections.iter().filter(|d| d.image == image.id).collect();
        let claims = shown(input.train, image, &own);
        let marks: Vec<Mark> = claims.iter().map(|claim| claim_mark(input.train, claim)).collect();
        let (state, verdict) = verdict(&claims, class, &category.name);
        panels += &panel(image, title, state, &verdict, &marks);
    }
    let mut classes: Vec<usize> = image.objects.iter().filter(|o| !o.crowd).map(|o| o.class).collect();
    classes.sort_unstable();
    classes.dedup();
    let classes = classes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let pictures = if category.images == 1 { "picture" } else { "pictures" };
    format!(
        "<article class=\"card\" data-about=\"{class}\" data-shows=\"{classes}\">\n<h3>{} <span class=\"chip {group}\">{group}</span> <small>{} training {pictures}</small></h3>\n\
         <div class=\"panels\">\n{panels}</div></article>\n",
        text(&category.name),
        thousands(category.images),
        group = group_name(category.group),
    )
}

/// What a detector made of the class that the card is about.
fn verdict(claims: &[Shown], class: usize, name: &str) -> (&'static str, String) {
    let found = claims.iter().find(|claim| claim.class == class && claim.right);
    match found {
        Some(claim) => ("found", format!("{name} found, score {:.2}", claim.detection.score)),
        None => ("missed", format!("{name} missed")),
    }
}

fn name(train: &Dataset, class: usize) -> String {
    train.categories.get(class).map_or_else(|| format!("class {class}"), |c| c.name.clone())
}

fn claim_mark(train: &Dataset, claim: &Shown) -> Mark {
    let label = format!("{} {:.2}", name(train, claim.class), claim.detection.score);
    mark(claim.detection.bbox, label, if claim.right { RIGHT } else { WRONG }, !claim.right)
}

fn mark(bbox: [f32; 4], label: String, ink: crate::figure::svg::Ink, dashed: bool) -> Mark {
    Mark { bbox: bbox.map(f64::from), label, ink, dashed }
}

fn panel(image: &ImageRecord, title: &str, state: &str, verdict: &str, marks: &[Mark]) -> String {
    let (w, h) = (f64::from(image.width), f64::from(image.height));
    let mut svg = Svg::default();
    overlay(&mut svg, marks, (w, h), 12.5 * w.max(h) / PANEL);
    format!(
        "<figure><figcaption><b>{}</b> <span class=\"{state}\">{}</span></figcaption>\
         <svg viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{}\"><use href=\"#pic{}\"/>\n{}</svg></figure>\n",
        text(title),
        text(verdict),
        text(format_args!("{title}: {}", marks.iter().map(|m| m.label.as_str()).collect::<Vec<_>>().join(", "))),
        image.id.0,
        svg.body(),
        w = short(w),
        h = short(h),
    )
}
