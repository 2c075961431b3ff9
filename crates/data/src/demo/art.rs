//! The drawings: classes of the demo set, and other things for pretraining.
//!
//! Twemoji graphics, CC-BY 4.0, from the `twemoji-assets` crate. Each constant is named here one by one, because only named constants end
//! up in the program; the crate's search functions would pull in all 4,009 drawings (8.7 MB).
//! No people, flags, symbols or clocks. Nothing in [`PRETRAINING`] looks like a class of [`CLASSES`].

use twemoji_assets::svg::codes;

/// A drawing with its English name and code point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Icon {
    pub name: &'static str,
    /// Code point as in the crate: "U_1F986".
    pub code: &'static str,
    pub svg: &'static str,
}

macro_rules! icons {
    ($($code:ident $name:literal),+ $(,)?) => {
        &[$(Icon { name: $name, code: stringify!($code), svg: codes::$code.data.0 }),+]
    };
}

/// Classes of the demo set; a set of `K` categories takes the first `K`.
pub(crate) static CLASSES: &[Icon] = icons! {
    U_1F986 "duck", U_1F6B2 "bicycle", U_1F34C "banana", U_1F3B8 "guitar", U_1F528 "hammer", U_2602 "umbrella",
    U_1F418 "elephant", U_1F34D "pineapple", U_1F680 "rocket", U_26BD "soccer ball", U_1F3A9 "top hat",
    U_1F335 "cactus", U_1F980 "crab", U_1F355 "pizza", U_1F69C "tractor", U_1F3BB "violin", U_1F511 "key",
    U_1F9F8 "teddy bear", U_1F989 "owl", U_1F955 "carrot", U_1F681 "helicopter", U_1F3BA "trumpet", U_1F4F7 "camera",
    U_2702 "scissors", U_1F98B "butterfly", U_1F349 "watermelon", U_26F5 "sailboat", U_1F941 "drum",
    U_1F4A1 "light bulb", U_1F33B "sunflower", U_1F427 "penguin", U_1F354 "hamburger", U_1F68C "bus",
    U_1F3B7 "saxophone", U_1F9F2 "magnet", U_1F455 "t-shirt", U_1F419 "octopus", U_1F353 "strawberry",
    U_1F692 "fire engine", U_1F3C0 "basketball", U_260E "telephone", U_1F334 "palm tree", U_1F993 "zebra",
    U_1F347 "grapes", U_2708 "airplane", U_1F94A "boxing glove", U_1F3C6 "trophy", U_1F460 "high-heeled shoe",
    U_1F422 "turtle", U_1F33D "ear of corn", U_1F682 "locomotive", U_26F8 "ice skate", U_2693 "anchor",
    U_1F344 "mushroom", U_1F992 "giraffe", U_1F369 "doughnut", U_1F697 "automobile", U_1FA97 "accordion",
    U_1F56F "candle", U_1FA91 "chair", U_1F40C "snail", U_1F346 "eggplant", U_1F6F5 "motor scooter", U_1FA81 "kite",
    U_1F514 "bell", U_1F337 "tulip", U_1F9A9 "flamingo", U_1F9C0 "cheese wedge", U_1F6F8 "flying saucer",
    U_1FA87 "maracas", U_1F4FA "television", U_1F456 "jeans", U_1F41D "honeybee", U_1F966 "broccoli",
    U_1F6F9 "skateboard", U_1F3B3 "bowling", U_1F6C1 "bathtub", U_2603 "snowman", U_1F40A "crocodile",
    U_1F368 "ice cream", U_1F6A4 "speedboat", U_1FA95 "banjo", U_1F52C "microscope", U_1F457 "dress",
    U_1F420 "tropical fish", U_1F950 "croissant", U_1F691 "ambulance", U_1F3BE "tennis", U_1F527 "wrench",
    U_1F341 "maple leaf", U_1F99C "parrot", U_1F968 "pretzel", U_26FD "fuel pump", U_1F451 "crown", U_1F9F9 "broom",
    U_1F9E6 "socks", U_1F982 "scorpion", U_1F37A "beer mug", U_1F388 "balloon", U_1F48E "gem stone",
    U_1F41E "lady beetle", U_1F32D "hot dog", U_1F9F0 "toolbox", U_1F453 "glasses", U_1FABC "jellyfish",
    U_1F32E "taco", U_1F6D2 "shopping cart", U_1FAA3 "bucket", U_1F99A "peacock", U_1F352 "cherries",
    U_1F52D "telescope", U_1F9E3 "scarf", U_1F40D "snake", U_1F951 "avocado", U_1F9F3 "luggage", U_1F4BB "laptop",
    U_1F413 "rooster", U_1F382 "birthday cake", U_1F9EF "fire extinguisher", U_1F36D "lollipop", U_1F987 "bat",
    U_1F95A "egg", U_1F4A3 "bomb", U_1F9E4 "gloves", U_1F988 "shark", U_1FAD6 "teapot", U_1FA9C "ladder",
    U_1F4DA "books", U_1F42A "camel", U_1F373 "cooking", U_1F392 "backpack", U_1F9E9 "puzzle piece",
};

/// Things for pretraining crops; none is a class of the demo set.
pub(crate) static PRETRAINING: &[Icon] = icons! {
    U_1F400 "rat", U_1F401 "mouse", U_1F402 "ox", U_1F403 "water buffalo", U_1F404 "cow", U_1F405 "tiger",
    U_1F406 "leopard", U_1F407 "rabbit", U_1F408 "cat", U_1F409 "dragon", U_1F40B "whale", U_1F40E "horse",
    U_1F40F "ram", U_1F410 "goat", U_1F411 "ewe", U_1F412 "monkey", U_1F415 "dog", U_1F416 "pig", U_1F417 "boar",
    U_1F41A "spiral shell", U_1F41B "bug", U_1F41C "ant", U_1F41F "fish", U_1F421 "blowfish",
    U_1F423 "hatching chick", U_1F426 "bird", U_1F428 "koala", U_1F429 "poodle", U_1F42C "dolphin", U_1F438 "frog",
    U_1F439 "hamster", U_1F43A "wolf", U_1F43C "panda", U_1F43F "chipmunk", U_1F981 "lion", U_1F983 "turkey",
    U_1F985 "eagle", U_1F98A "fox", U_1F98C "deer", U_1F98D "gorilla", U_1F98E "lizard", U_1F98F "rhinoceros",
    U_1F990 "shrimp", U_1F991 "squid", U_1F994 "hedgehog", U_1F995 "sauropod", U_1F996 "t-rex", U_1F997 "cricket",
    U_1F998 "kangaroo", U_1F999 "llama", U_1F99B "hippopotamus", U_1F99D "raccoon", U_1F99E "lobster",
    U_1F99F "mosquito", U_1F9A1 "badger", U_1F9A2 "swan", U_1F9A3 "mammoth", U_1F9A4 "dodo", U_1F9A5 "sloth",
    U_1F9A6 "otter", U_1F9A7 "orangutan", U_1F9A8 "skunk", U_1F9AA "oyster", U_1F9AB "beaver", U_1F9AC "bison",
    U_1F9AD "seal", U_1FAB0 "fly", U_1FAB1 "worm", U_1FAB2 "beetle", U_1FAB3 "cockroach", U_1FACE "moose",
    U_1FACF "donkey", U_1F577 "spider", U_1F54A "dove", U_1FABF "goose", U_1FABD "wing", U_1F984 "unicorn",
    U_1F9A0 "microbe", U_1F330 "chestnut", U_1F331 "seedling", U_1F332 "evergreen tree", U_1F333 "deciduous tree",
    U_1F336 "hot pepper", U_1F338 "cherry blossom", U_1F339 "rose", U_1F33A "hibiscus", U_1F33C "blossom",
    U_1F33E "sheaf of rice", U_1F33F "herb", U_1F340 "four leaf clover", U_1F342 "fallen leaf", U_1F345 "tomato",
    U_1F348 "melon", U_1F34A "tangerine", U_1F34B "lemon", U_1F34E "red apple", U_1F350 "pear", U_1F351 "peach",
    U_1F356 "meat on bone", U_1F357 "poultry leg", U_1F358 "rice cracker", U_1F359 "rice ball",
    U_1F35A "cooked rice", U_1F35B "curry rice", U_1F35D "spaghetti", U_1F35E "bread", U_1F35F "french fries",
    U_1F360 "roasted sweet potato", U_1F361 "dango", U_1F362 "oden", U_1F363 "sushi", U_1F364 "fried shrimp",
    U_1F366 "soft ice cream", U_1F367 "shaved ice", U_1F36A "cookie", U_1F36B "chocolate bar", U_1F36C "candy",
    U_1F36E "custard", U_1F36F "honey pot", U_1F370 "shortcake", U_1F371 "bento box", U_1F372 "pot of food",
    U_1F376 "sake", U_1F377 "wine glass", U_1F378 "cocktail glass", U_1F379 "tropical drink", U_1F37C "baby bottle",
    U_1F37E "bottle with popping cork", U_1F37F "popcorn", U_1F943 "tumbler glass", U_1F952 "cucumber",
    U_1F953 "bacon", U_1F954 "potato", U_1F956 "baguette bread", U_1F957 "green salad", U_1F959 "stuffed flatbread",
    U_1F95B "glass of milk", U_1F95C "peanuts", U_1F95D "kiwi fruit", U_1F95E "pancakes", U_1F95F "dumpling",
    U_1F960 "fortune cookie", U_1F961 "takeout box", U_1F964 "cup with straw", U_1F965 "coconut", U_1F967 "pie",
    U_1F969 "cut of meat", U_1F96A "sandwich", U_1F96B "canned food", U_1F96C "leafy green", U_1F96D "mango",
    U_1F96E "moon cake", U_1F96F "bagel", U_1F9C1 "cupcake", U_1F9C2 "salt", U_1F9C3 "beverage box",
    U_1F9C4 "garlic", U_1F9C5 "onion", U_1F9C7 "waffle", U_1F9C8 "butter", U_1F9C9 "mate", U_1F9CB "bubble tea",
    U_1FAD0 "blueberries", U_1FAD1 "bell pepper", U_1FAD2 "olive", U_1FAD4 "tamale", U_1FAD5 "fondue", U_1FAD9 "jar",
    U_1FADA "ginger root", U_1FADB "pea pod", U_1FAB4 "potted plant", U_1FAB7 "lotus", U_1FAB8 "coral",
    U_1FABB "hyacinth", U_2615 "hot beverage", U_1F375 "teacup without handle", U_1F35C "steaming bowl",
    U_1F380 "ribbon", U_1F381 "wrapped gift", U_1F383 "jack-o-lantern", U_1F384 "christmas tree",
    U_1F389 "party popper", U_1F38D "pine decoration", U_1F38F "carp streamer", U_1F390 "wind chime",
    U_1F393 "graduation cap", U_1F396 "military medal", U_1F399 "studio microphone", U_1F39E "film frames",
    U_1F3A0 "carousel horse", U_1F3A1 "ferris wheel", U_1F3A4 "microphone", U_1F3A5 "movie camera",
    U_1F3A7 "headphone", U_1F3A8 "artist palette", U_1F3AA "circus tent", U_1F3AC "clapper board",
    U_1F3AD "performing arts", U_1F3AE "video game", U_1F3AF "bullseye", U_1F3B0 "slot machine",
    U_1F3B1 "pool 8 ball", U_1F3B2 "game die", U_1F3B9 "musical keyboard", U_1F3BF "skis", U_1F3C5 "sports medal",
    U_1F3C8 "american football", U_1F3CD "motorcycle", U_1F3CE "racing car", U_1F3CF "cricket game",
    U_1F3D0 "volleyball", U_1F3D1 "field hockey", U_1F3D2 "ice hockey", U_1F3D3 "ping pong", U_1F3D5 "camping",
    U_1F3DB "classical building", U_1F3DF "stadium", U_1F3E0 "house", U_1F3E2 "office building", U_1F3E5 "hospital",
    U_26EA "church", U_1F3F0 "castle", U_1F3EF "japanese castle", U_1F3ED "factory", U_1F3EE "red paper lantern",
    U_1F3F5 "rosette", U_1F3F8 "badminton", U_1F3FA "amphora", U_1F454 "necktie", U_1F458 "kimono", U_1F459 "bikini",
    U_1F45B "purse", U_1F45C "handbag", U_1F45D "clutch bag", U_1F45F "running shoe", U_1F484 "lipstick",
    U_1F488 "barber pole", U_1F489 "syringe", U_1F48A "pill", U_1F48D "ring", U_1F490 "bouquet", U_1F4B0 "money bag",
    U_1F4BA "seat", U_1F4BC "briefcase", U_1F4BE "floppy disk", U_1F4BF "optical disk", U_1F4CB "clipboard",
    U_1F4CC "pushpin", U_1F4D0 "triangular ruler", U_1F4D3 "notebook", U_1F4DC "scroll",
    U_1F4DE "telephone receiver", U_1F4DF "pager", U_1F4E0 "fax machine", U_1F4E1 "satellite antenna",
    U_1F4E2 "loudspeaker", U_1F4E3 "megaphone", U_1F4E6 "package", U_1F4EE "postbox", U_1F4EF "postal horn",
    U_1F4F0 "newspaper", U_1F4F1 "mobile phone", U_1F4FB "radio", U_1F4FC "videocassette", U_1F4FF "prayer beads",
    U_1F50B "battery", U_1F50C "electric plug", U_1F50D "magnifying glass tilted left", U_1F512 "locked",
    U_1F516 "bookmark", U_1F526 "flashlight", U_1F529 "nut and bolt", U_1F52A "kitchen knife",
    U_1F52B "water pistol", U_1F52E "crystal ball", U_1F579 "joystick", U_1F58B "fountain pen", U_1F58C "paintbrush",
    U_1F58D "crayon", U_1F5A8 "printer", U_1F5B1 "computer mouse", U_1F5B2 "trackball", U_1F5BC "framed picture",
    U_1F5C3 "card file box", U_1F5C4 "file cabinet", U_1F5D1 "wastebasket", U_1F5D2 "spiral notepad",
    U_1F5DC "clamp", U_1F5DD "old key", U_1F5E1 "dagger", U_1F5F3 "ballot box with ballot", U_1F5FC "tokyo tower",
    U_1F5FF "moai", U_1F684 "high-speed train", U_1F68A "tram", U_1F69B "articulated lorry", U_1F69D "monorail",
    U_1F6A2 "ship", U_1F6A6 "vertical traffic light", U_1F6A8 "police car light", U_1F6AA "door", U_1F6BD "toilet",
    U_1F6BF "shower", U_1F6CB "couch and lamp", U_1F6CD "shopping bags", U_1F6CE "bellhop bell", U_1F6CF "bed",
    U_1F6D6 "hut", U_1F6DD "playground slide", U_1F6DE "wheel", U_1F6DF "ring buoy", U_1F6E1 "shield",
    U_1F6E2 "oil drum", U_1F6E9 "small airplane", U_1F6F0 "satellite", U_1F6F4 "kick scooter", U_1F6F6 "canoe",
    U_1F6F7 "sled", U_1F6FA "auto rickshaw", U_1F6FB "pickup truck", U_1F6FC "roller skate", U_1F916 "robot",
    U_1F93F "diving mask", U_1F942 "clinking glasses", U_1F944 "spoon", U_1F945 "goal net",
    U_1F94B "martial arts uniform", U_1F94C "curling stone", U_1F94D "lacrosse", U_26BE "baseball",
    U_1F97C "lab coat", U_1F97D "goggles", U_1F97E "hiking boot", U_1F97F "flat shoe", U_1F9B4 "bone",
    U_1F9B7 "tooth", U_1F9BA "safety vest", U_1F9BC "motorized wheelchair", U_1F9BD "manual wheelchair",
    U_1F9BE "mechanical arm", U_1F9E0 "brain", U_1F9E2 "billed cap", U_1F9E5 "coat", U_1F9E8 "firecracker",
    U_1F9EA "test tube", U_1F9EB "petri dish", U_1F9EC "dna", U_1F9ED "compass", U_1F9EE "abacus",
    U_1F9F4 "lotion bottle", U_1F9F5 "thread", U_1F9F6 "yarn", U_1F9F7 "safety pin", U_1F9FA "basket",
    U_1F9FB "roll of paper", U_1F9FC "soap", U_1F9FD "sponge", U_1FA70 "ballet shoes", U_1FA71 "one-piece swimsuit",
    U_1FA72 "briefs", U_1FA73 "shorts", U_1FA74 "thong sandal", U_1FA7A "stethoscope", U_1FA7C "crutch",
    U_1FA80 "yo-yo", U_1FA82 "parachute", U_1FA83 "boomerang", U_1FA84 "magic wand", U_1FA85 "piñata",
    U_1FA86 "nesting dolls", U_1FA88 "flute", U_1FA89 "harp", U_1FA8F "shovel", U_1FA90 "ringed planet",
    U_1FA92 "razor", U_1FA93 "axe", U_1FA94 "diya lamp", U_1FA96 "military helmet", U_1FA99 "coin",
    U_1FA9A "carpentry saw", U_1FA9B "screwdriver", U_1FA9D "hook", U_1FA9E "mirror", U_1FA9F "window",
    U_1FAA0 "plunger", U_1FAA2 "knot", U_1FAA4 "mouse trap", U_1FAA5 "toothbrush", U_1FAA6 "headstone",
    U_1FAA8 "rock", U_1FAA9 "mirror ball", U_1FAAE "hair pick", U_1FAB5 "wood", U_1FAB6 "feather",
    U_1FAB9 "empty nest", U_2328 "keyboard", U_231B "hourglass done", U_265F "chess pawn", U_2697 "alembic",
    U_2699 "gear", U_2696 "balance scale", U_26B0 "coffin", U_26CF "pick", U_2694 "crossed swords",
    U_26F2 "fountain", U_26F4 "ferry", U_26FA "tent", U_2709 "envelope", U_270F "pencil", U_1F30B "volcano",
    U_1F47B "ghost", U_1F47E "alien monster", U_1F480 "skull", U_26D1 "rescue worker's helmet",
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_drawings_are_unique_over_both_tables() {
        let all: Vec<&Icon> = CLASSES.iter().chain(PRETRAINING).collect();
        assert_eq!(all.iter().map(|i| i.code).collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all.iter().map(|i| i.name).collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all.iter().map(|i| i.svg).collect::<BTreeSet<_>>().len(), all.len());
        assert!(CLASSES.len() >= 130 && PRETRAINING.len() >= 250);
    }

    #[test]
    fn names_are_lower_case() {
        assert!(CLASSES.iter().chain(PRETRAINING).all(|i| i.name == i.name.to_lowercase()));
    }
}
