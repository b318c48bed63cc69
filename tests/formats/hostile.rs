//! Whatever a text says, a format has the shape that it has with harmless ones, and the text is in it.

use flux_security_operator::api::ReportStatus;
use flux_security_operator::engine::posture::{bounded, escaped};
use flux_security_operator::render::{html, junit, markdown, openreports, record, sarif, table};
use proptest::prelude::*;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::consumers::Consumers;
use crate::posture::hostile;
use crate::{NARROW, WIDE, items, taken_by_github, texts};

/// What each format's readers obey, and what the others do.
const PIECES: [&str; 48] = [
    "<script>alert(1)</script>",
    "</td></tr></table>",
    "<!--",
    "-->",
    "\" onload=\"x",
    "' onload='x",
    "&amp;",
    "&#60;",
    "]]>",
    "<![CDATA[",
    "<?xml?>",
    "</failure>",
    "javascript:alert(1)",
    "</script>",
    "</style>",
    "<img src=x>",
    "|",
    "\\|",
    "\\\\|",
    "`",
    "``",
    "```",
    "[a](http://evil.example)",
    "![a](b)",
    "http://evil.example",
    "www.evil.example",
    "@everyone",
    "#1",
    "**",
    "__",
    "~~",
    "# ",
    "> ",
    "- ",
    "1. ",
    "\\",
    "\n",
    "\r\n\r\n",
    "\t",
    "\0",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffe}",
    "\u{ffff}",
    "---\n",
    ": ",
];
/// What other versions of YAML take for something else than text, and what ends or pads a span of code.
const ALONE: [&str; 24] = [
    "yes",
    "no",
    "on",
    "~",
    "null",
    "0x1F",
    "0o17",
    "1:30",
    "1e3",
    ".inf",
    "2026-01-01",
    "=",
    "<<",
    "!!str",
    "&a",
    "*a",
    "%YAML",
    "@",
    " a ",
    "  ",
    "`",
    "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
    "e\u{301}",
    "👩‍👩‍👧",
];

/// How a text is shown to a person.
fn shown(text: &str) -> String {
    escaped(text)
        .replace('\u{fffe}', "\\u{fffe}")
        .replace('\u{ffff}', "\\u{ffff}")
}

fn is_only_text(consumers: &mut Consumers, text: &str) {
    let (report, harmless) = (hostile(text), hostile("x"));
    in_tables(&report);
    in_records(consumers, &report);
    in_sarif(consumers, &report);
    in_junit(consumers, &report, &harmless, text);
    in_html(consumers, &report, &harmless, text);
    in_markdown(consumers, &report, &harmless, text);
    let text = openreports::openreports("blue", &report).unwrap();
    let reports = consumers.read("openreports", &text);
    let results: usize = items(&reports).iter().map(|it| items(&it["results"]).len()).sum();
    assert_eq!(results, report.controls.len());
}

fn in_tables(report: &ReportStatus) {
    let narrow = table::table(report, NARROW);
    assert!(narrow.lines().all(|line| line.width() <= 120), "{narrow}");
    assert_eq!(
        narrow.lines().count(),
        table::table(&hostile("x"), NARROW).lines().count()
    );
    for table in [narrow, table::table(report, WIDE)] {
        let is_obeyed = |character: char| character.is_control() && character != '\n';
        assert!(!table.contains(is_obeyed), "{table:?}");
        assert!(!table.contains(['\u{202e}', '\u{2028}', '\u{feff}']), "{table:?}");
    }
}

fn in_records(consumers: &mut Consumers, report: &ReportStatus) {
    let json: Value = serde_json::from_str(&record::json("blue", report).unwrap()).unwrap();
    let yaml = record::yaml("blue", report).unwrap();
    assert_eq!(
        json["status"]["findings"][0]["observed"],
        report.findings[0].observed
    );
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), json, "{yaml}");
    assert_eq!(consumers.read("yaml", &yaml), json, "{yaml}");
}

fn in_sarif(consumers: &mut Consumers, report: &ReportStatus) {
    let log = consumers.read("sarif", &sarif::sarif("blue", report).unwrap());
    let run = &log["runs"][0];
    for result in items(&run["results"]) {
        let message = result["message"]["text"].as_str().unwrap();
        assert!(message.contains(&report.findings[0].observed), "{message}");
        let uri = result.pointer("/locations/0/physicalLocation/artifactLocation/uri");
        let uri = uri.and_then(Value::as_str).unwrap();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/:".contains(&byte);
        assert!(uri.bytes().all(is_plain), "{uri}");
    }
    // Rules of GitHub's speak of texts of ours, but for the title.
    if !report.controls[0].title.is_empty() {
        taken_by_github(run);
    }
}

/// Names and attributes of all elements.
fn shape(element: &Value) -> Value {
    let attributes: Vec<&String> = element["attributes"].as_object().unwrap().keys().collect();
    let children = element.get("children").map_or(&[][..], items);
    json!([
        element["name"],
        attributes,
        children.iter().map(shape).collect::<Vec<_>>()
    ])
}

fn in_junit(consumers: &mut Consumers, report: &ReportStatus, harmless: &ReportStatus, text: &str) {
    let root = consumers.read("junit", &junit::junit(report));
    assert_eq!(
        shape(&root),
        shape(&consumers.read("junit", &junit::junit(harmless)))
    );
    let find = |name: &str| {
        let suites = items(&root["children"]).iter();
        let mut cases = suites.flat_map(|suite| items(&suite["children"]));
        cases
            .find_map(|case| case["children"].get(0).filter(|it| it["name"] == name))
            .unwrap()
    };
    let failure = find("failure");
    assert_eq!(failure["attributes"]["message"], shown(text));
    let observed = format!("  observed: {}\n", shown(text));
    let details = failure["text"].as_str().unwrap();
    assert!(text.is_empty() || details.contains(&observed), "{failure}");
    assert_eq!(find("error")["attributes"]["message"], shown(text));
}

fn in_html(consumers: &mut Consumers, report: &ReportStatus, harmless: &ReportStatus, text: &str) {
    let page = consumers.read("html", &html::html(report));
    let plain = consumers.read("html", &html::html(harmless));
    for field in ["elements", "attributes", "links", "policy"] {
        assert_eq!(page[field], plain[field], "{field}");
    }
    let columns = |page: &Value| -> Vec<Value> {
        let tables = items(&page["tables"]).iter();
        tables
            .map(|it| json!([it["caption"], it["columns"], items(&it["rows"]).len()]))
            .collect()
    };
    assert_eq!(columns(&page), columns(&plain));
    assert_eq!(items(&page["headings"]).len(), items(&plain["headings"]).len());
    let title = format!("Flux security posture of {}", bounded(text));
    assert_eq!(page["title"], shown(title.trim_end_matches(" of ")));
    let rows = items(&page["tables"][3]["rows"]);
    for row in rows {
        assert_eq!(row[4], shown(text));
    }
}

fn in_markdown(consumers: &mut Consumers, report: &ReportStatus, harmless: &ReportStatus, text: &str) {
    let comment = consumers.read("markdown", &markdown::markdown(report));
    let plain = consumers.read("markdown", &markdown::markdown(harmless));
    for field in ["headings", "links", "html", "kinds"] {
        assert_eq!(comment[field], plain[field], "{field} of {text:?}");
    }
    let (tables, expected) = (items(&comment["tables"]), items(&plain["tables"]));
    assert_eq!(tables.len(), expected.len());
    for (table, expected) in tables.iter().zip(expected) {
        assert_eq!(table["columns"], expected["columns"]);
        assert_eq!(
            items(&table["rows"]).len(),
            items(&expected["rows"]).len(),
            "{text:?}"
        );
    }
    // Only a bar after a backslash is written in another way.
    let code = escaped(text).replace("\\|", "\\\\u{7c}");
    for row in items(&tables[2]["rows"]) {
        assert_eq!(row[4], format!("⟨{code}⟩"), "{text:?}");
    }
    assert!(texts(&comment["paragraphs"]).len() <= 1, "{comment}");
}

#[test]
fn no_text_is_more_than_text() {
    let mut consumers = Consumers::start();
    for text in PIECES.into_iter().chain(ALONE) {
        is_only_text(&mut consumers, text);
    }
    is_only_text(&mut consumers, &PIECES.concat());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn no_texts_together_are_more_than_text(
        pieces in proptest::collection::vec(
            prop_oneof![any::<char>().prop_map(String::from), proptest::sample::select(&PIECES[..]).prop_map(str::to_owned)],
            1..12,
        )
    ) {
        is_only_text(&mut Consumers::start(), &pieces.concat());
    }
}
