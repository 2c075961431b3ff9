//! Targets: what they refuse, and the tensors made from them.

use equipoise_loss::{ClassTargets, Label, LossError};

use crate::batch::{device, values};

fn mixed() -> ClassTargets {
    ClassTargets::new(vec![Label::Class(1), Label::Background, Label::Ignored, Label::Class(0)], 2).unwrap()
}

#[test]
fn labels_become_columns() {
    let targets = mixed();
    assert_eq!((targets.rows(), targets.num_classes(), targets.counted_rows()), (4, 2, 3));
    assert_eq!(targets.instances(), [1.0, 1.0]);
    assert_eq!((0..4).map(|row| targets.column(row)).collect::<Vec<_>>(), [Some(1), Some(2), None, Some(0)]);
    assert_eq!((0..4).map(|row| targets.row_weight(row)).collect::<Vec<_>>(), [1.0, 1.0, 0.0, 1.0]);
    let device = device();
    assert_eq!(values(&targets.one_hot(3, &device)), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    let columns = targets.columns(&device);
    assert_eq!(columns.dims(), [4, 1]);
    assert_eq!(columns.to_data_as::<i64>().try_to_vec::<i64>().unwrap(), [1, 2, 2, 0]);
    assert_eq!(values(&targets.one_hot(2, &device)), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn the_number_of_classes_itself_means_background() {
    let targets = ClassTargets::from_indices(&[0, 2, 1], 2).unwrap();
    assert_eq!(targets.labels(), [Label::Class(0), Label::Background, Label::Class(1)]);
    let error = ClassTargets::from_indices(&[0, 2, 3], 2).unwrap_err();
    assert!(matches!(error, LossError::LabelOutOfRange { row: 2, label: 3, classes: 2 }), "{error}");
    assert_eq!(ClassTargets::from_indices(&[], 2).unwrap().rows(), 0);
}

#[test]
fn element_weights_are_row_weight_times_judged() {
    let device = device();
    let plain = ClassTargets::from_indices(&[0, 2], 2).unwrap();
    assert!(plain.element_weights(3, &device).is_none());
    assert!(plain.judged_mask(3, &device).is_none() && !plain.has_unjudged());
    let ignored = mixed().element_weights(2, &device).expect("an ignored row weighs 0");
    assert_eq!(values(&ignored), [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    let targets = plain.with_row_weights(vec![0.5, 2.0]).unwrap().with_judged(vec![true, false, true, true]).unwrap();
    assert_eq!(values(&targets.element_weights(3, &device).unwrap()), [0.5, 0.0, 0.5, 2.0, 2.0, 2.0]);
    assert_eq!(values(&targets.judged_mask(3, &device).unwrap()), [1.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!((targets.is_judged(0, 1), targets.is_judged(0, 2)), (false, true));
}

#[test]
fn row_weights_that_do_not_fit_are_refused() {
    for (weights, text) in [
        (vec![1.0; 3], "expected 4 values, one for each row, got 3 values"),
        (vec![1.0, f32::NAN, 1.0, 1.0], "got NaN"),
        (vec![1.0, 1.0, f32::INFINITY, 1.0], "got inf"),
        (vec![1.0, 1.0, 1.0, -0.5], "got -0.5"),
    ] {
        let error = mixed().with_row_weights(weights).unwrap_err().to_string();
        assert!(error.starts_with("row_weights of the targets") && error.contains(text), "{error}");
    }
}

#[test]
fn a_judged_list_that_does_not_fit_is_refused() {
    let error = mixed().with_judged(vec![true; 7]).unwrap_err().to_string();
    assert!(error.contains("expected 4 x 2 values, got 7 values"), "{error}");
    let mut judged = vec![true; 8];
    judged[1] = false;
    let error = mixed().with_judged(judged).unwrap_err().to_string();
    assert!(error.contains("true for class 1 of row 0, its own label"), "{error}");
    let mut judged = vec![false; 8];
    (judged[1], judged[6]) = (true, true);
    assert!(mixed().with_judged(judged).is_ok(), "background and ignored rows need not be judged for any class");
}
