//! Label selectors against the code that Kubernetes and Flux's controllers read them with.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
#[path = "support/random.rs"]
mod random;

use std::collections::BTreeMap;

use controlplane::programs;
use flux_security_operator::flux::selector::{Overlap, Selector};
use flux_security_operator::kinds::selector::LabelSelector;
use random::Random;
use serde_json::{Value, json};

type Labels = BTreeMap<String, String>;

const QUESTIONS: usize = 2_500;
const KEYS: [&str; 2] = ["k", "sharding.fluxcd.io/key"];
const VALUES: [&str; 5] = ["", "a", "b", "1", "10"];
/// A value that no selector names.
const OTHER: &str = "other";

/// Every object that there is: all that two labels can be, absent too.
fn universe() -> Vec<Labels> {
    let states: Vec<Option<&str>> = VALUES
        .into_iter()
        .chain([OTHER])
        .map(Some)
        .chain([None])
        .collect();
    let pair = |(key, value): (&str, Option<&str>)| Some((key.to_owned(), value?.to_owned()));
    let both = |one, two| {
        [(KEYS[0], one), (KEYS[1], two)]
            .into_iter()
            .filter_map(pair)
            .collect()
    };
    let rest = |one| states.iter().map(move |two| both(one, *two));
    states.iter().flat_map(|one| rest(*one)).collect()
}

/// The selector that selects objects with exactly these labels, as far as the universe goes.
fn exactly(labels: &Labels) -> Selector {
    let parts = KEYS.map(|key| match labels.get(key) {
        Some(value) => format!("{key}={value}"),
        None => format!("!{key}"),
    });
    Selector::parse(&parts.join(",")).unwrap()
}

/// What Kubernetes says: which objects are selected, or nothing where the selector is refused.
fn ask(questions: impl Iterator<Item = Value>) -> Vec<Option<Vec<bool>>> {
    let universe = json!(universe());
    let line = |mut question: Value| {
        question["labels"] = universe.clone();
        format!("{question}\n")
    };
    let requests: String = questions.map(line).collect();
    let answers = programs::ask_oracle(&requests).unwrap();
    let selected = |answer: Value| match answer.get("refused") {
        Some(_) => None,
        None => Some(serde_json::from_value(answer["selected"].clone()).unwrap()),
    };
    answers.into_iter().map(selected).collect()
}

#[test]
fn selectors_of_controllers_select_what_the_original_selects() {
    let mut random = Random(0x005e_1ec7);
    let texts: Vec<(String, bool)> = (0..QUESTIONS).map(|_| text(&mut random)).collect();
    let answers = ask(texts.iter().map(|(text, _)| json!({ "text": text })));
    let points: Vec<Selector> = universe().iter().map(exactly).collect();
    let mut refused = 0;
    for ((text, is_soup), selected) in texts.iter().zip(&answers) {
        let ours = Selector::parse(text);
        let Some(selected) = selected else {
            assert!(ours.is_err(), "{text:?} is refused, and we read it");
            refused += 1;
            continue;
        };
        let ours = ours.unwrap_or_else(|why| panic!("{text:?} is accepted, and we say {why}"));
        for (point, is_selected) in points.iter().zip(selected) {
            match ours.overlap(point) {
                // A soup may speak of labels that are not in the universe.
                Overlap::Possible => assert!(*is_selected || *is_soup, "{text:?} {point:?}"),
                Overlap::Disjoint => assert!(!is_selected, "{text:?} {point:?}"),
                Overlap::Undecided => assert!(text.contains(['<', '>']), "{text:?}"),
            }
        }
    }
    assert!(
        (QUESTIONS / 4..QUESTIONS * 3 / 4).contains(&refused),
        "{refused} are refused"
    );
}

/// Two shards are told to be disjoint where no object is in both, and only there.
#[test]
fn shards_are_disjoint_exactly_where_no_object_is_in_both() {
    let mut random = Random(0xd15_701f);
    let texts: Vec<String> = (0..QUESTIONS).map(|_| requirements(&mut random)).collect();
    let answers = ask(texts.iter().map(|text| json!({ "text": text })));
    let mut counts = [0; 3];
    for at in 1..QUESTIONS {
        let (one, two) = (&texts[at - 1], &texts[at]);
        let [Some(by_one), Some(by_two)] = [&answers[at - 1], &answers[at]] else {
            panic!("{one:?} or {two:?} is refused");
        };
        let meet = by_one.iter().zip(by_two).any(|(one, two)| *one && *two);
        let overlap = Selector::parse(one)
            .unwrap()
            .overlap(&Selector::parse(two).unwrap());
        match overlap {
            Overlap::Disjoint => assert!(!meet, "{one:?} {two:?} are not disjoint"),
            Overlap::Possible => assert!(meet, "{one:?} {two:?} have nothing in common"),
            Overlap::Undecided => assert!(format!("{one}{two}").contains(['<', '>'])),
        }
        counts[overlap as usize] += 1;
    }
    assert!(counts.iter().all(|count| *count > QUESTIONS / 20), "{counts:?}");
}

#[test]
fn selectors_of_objects_select_what_kubernetes_selects() {
    let mut random = Random(0x0b_7ec7);
    let objects: Vec<Value> = (0..QUESTIONS).map(|_| object(&mut random)).collect();
    let answers = ask(objects.iter().map(|object| json!({ "object": object })));
    let universe = universe();
    let mut refused = 0;
    for (object, selected) in objects.iter().zip(&answers) {
        let ours = serde_json::from_str::<LabelSelector>(&object.to_string());
        let Some(selected) = selected else {
            assert!(ours.is_err(), "{object} is refused, and we read it");
            refused += 1;
            continue;
        };
        let ours = ours.unwrap_or_else(|why| panic!("{object} is accepted, and we say {why}"));
        for (labels, is_selected) in universe.iter().zip(selected) {
            assert_eq!(ours.matches(labels), *is_selected, "{object} {labels:?}");
        }
    }
    assert!(
        (QUESTIONS / 4..QUESTIONS * 3 / 4).contains(&refused),
        "{refused} are refused"
    );
}

/// A selector, or something that only begins like one; whether it is a soup of tokens.
fn text(random: &mut Random) -> (String, bool) {
    if random.one_in(3) {
        return (soup(random), true);
    }
    let mut text = requirements(random);
    if random.one_in(4) {
        text.push_str(random.pick::<&str>(&[",", " ,", ",,", " k", ")", "=", "\u{c}", ", !"]));
    }
    if random.one_in(4) {
        text = format!("{}{text}", random.pick(&["!", ",", " ", "\t\n", "(", "=", "é"]));
    }
    (text, false)
}

/// Requirements about the labels of the universe, which are in order.
fn requirements(random: &mut Random) -> String {
    let count = random.below(4);
    let parts: Vec<String> = (0..count).map(|_| requirement(random)).collect();
    parts.join(*random.pick(&[",", ", ", " ,\t"]))
}

fn requirement(random: &mut Random) -> String {
    let key = *random.pick(&KEYS);
    let blank = *random.pick(&["", "", " ", "\n"]);
    let value = *random.pick(&VALUES);
    match random.below(9) {
        0 => key.to_owned(),
        1 => format!("!{blank}{key}"),
        2 => format!("{key}{blank}={blank}{value}"),
        3 => format!("{key}{blank}=={value}"),
        4 => format!("{key}!={blank}{value}"),
        5 => format!("{key} in{blank}({})", list(random)),
        6 => format!("{key} notin {blank}({}{blank})", list(random)),
        7 => format!("{key}{blank}>{blank}{}", random.pick(&["1", "5"])),
        _ => format!("{key}<{}", random.pick(&["2", "10", "007"])),
    }
}

fn list(random: &mut Random) -> String {
    let values: Vec<&str> = (0..random.below(4))
        .map(|_| *random.pick(&["a", "b", "1", "10"]))
        .collect();
    values.join(*random.pick(&[",", ", "]))
}

/// Tokens in any order.
fn soup(random: &mut Random) -> String {
    const TOKENS: [&str; 26] = [
        "k", "k", "a", "b", "in", "notin", "(", ")", "(a)", ",", ",", "!", "=", "==", "!=", "<", ">", " ",
        " ", "1", "+1", "A/b", "a.b/c", "a/b/c", "-", "x_y",
    ];
    let long = "l".repeat(64);
    let count = 1 + random.below(8);
    let token = |random: &mut Random| {
        if random.one_in(40) {
            return long.clone();
        }
        (*random.pick(&TOKENS)).to_owned()
    };
    (0..count).map(|_| token(random)).collect()
}

/// A `metav1.LabelSelector`, or nearly one.
fn object(random: &mut Random) -> Value {
    let mut labels = serde_json::Map::new();
    for _ in 0..random.below(3) {
        labels.insert(key(random), json!(value(random)));
    }
    let expressions: Vec<Value> = (0..random.below(3)).map(|_| expression(random)).collect();
    let mut object = json!({"matchLabels": labels, "matchExpressions": expressions});
    if random.one_in(8) {
        object["matchLabels"] = json!(null);
    }
    if random.one_in(8) {
        object.as_object_mut().unwrap().remove("matchExpressions");
    }
    object
}

fn expression(random: &mut Random) -> Value {
    let is_odd = random.one_in(12);
    let operators = if is_odd {
        ["Gt", "in", "", "Equals"]
    } else {
        ["In", "NotIn", "Exists", "DoesNotExist"]
    };
    let operator = *random.pick(&operators);
    let compares = matches!(operator, "In" | "NotIn");
    let count = match random.one_in(12) {
        true => random.below(3),
        false if compares => 1 + random.below(3),
        false => 0,
    };
    let values: Vec<String> = (0..count).map(|_| value(random)).collect();
    json!({"key": key(random), "operator": operator, "values": values})
}

fn key(random: &mut Random) -> String {
    if random.one_in(12) {
        let long = format!("{}/k", vec!["d".repeat(60); 5].join("."));
        let odd = [
            "",
            "-k",
            "k-",
            "A.b/k",
            "a/b/c",
            "/k",
            "k/",
            "a b",
            "é",
            "a..b/k",
            long.as_str(),
        ];
        return (*random.pick(&odd)).to_owned();
    }
    (*random.pick(&KEYS)).to_owned()
}

fn value(random: &mut Random) -> String {
    if random.one_in(12) {
        let long = "v".repeat(64);
        let odd = ["-", "a/b", "a b", "é", ".a", "a_", long.as_str()];
        return (*random.pick(&odd)).to_owned();
    }
    (*random.pick(&VALUES)).to_owned()
}
