//! The page in a real browser. It is no part of `make test`, since it needs one: `make test-browser`.

use std::fs;
use std::process::Command;

use flux_security_operator::render::html::html;

use crate::posture::posture;

/// The page after a browser has run it.
fn shown(page: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    fs::write(&path, page).unwrap();
    let profile = folder.path().join("profile");
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=2000",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--dump-dom")
        .arg(path)
        .output()
        .expect("chromium has to be on the PATH");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

fn choose(value: &str) -> String {
    let option = format!("<option>{value}</option>");
    let page = html(&posture());
    assert!(page.contains(&option), "{value}");
    page.replacen(&option, &format!("<option selected>{value}</option>"), 1)
}

fn rows(page: &str) -> (usize, usize) {
    let rows = || {
        page.split("<tr ")
            .skip(1)
            .map(|row| row.split('>').next().unwrap())
    };
    let hidden = |row: &&str| row.contains("hidden");
    (rows().count(), rows().filter(hidden).count())
}

#[test]
#[ignore = "needs Chromium: make test-browser"]
fn the_filter_hides_what_is_not_asked_for() {
    for (value, said) in [
        ("Critical", "2 controls and 2 findings are shown."),
        ("Info", "1 controls and 1 findings are shown."),
        ("Unknown", "1 controls and 0 findings are shown."),
        ("Fail", "2 controls and 3 findings are shown."),
        ("tenant", "1 controls and 1 findings are shown."),
    ] {
        let page = shown(&choose(value));
        assert!(page.contains(said), "{value}: {page}");
        let (all, hidden) = rows(&page);
        let digits: usize = said
            .split(' ')
            .filter_map(|word| word.parse::<usize>().ok())
            .sum();
        assert_eq!(all - hidden, digits, "{value}");
    }
}

#[test]
#[ignore = "needs Chromium: make test-browser"]
fn everything_is_there_without_script() {
    let page = html(&posture());
    let (_, policy) = page.split_once("script-src ").unwrap();
    let (digest, _) = policy.split_once('"').unwrap();
    let silent = shown(&page.replace(digest, "'none'"));
    assert_eq!(rows(&silent), (10, 0), "{silent}");
    assert!(silent.contains("<form id=\"filter\" hidden"), "{silent}");
    let page = shown(&page);
    assert!(page.contains("<form id=\"filter\">"), "{page}");
    assert!(page.contains("7 controls and 3 findings are shown."), "{page}");
}
