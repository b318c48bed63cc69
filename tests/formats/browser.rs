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
        ("Critical", "Shown: controls 2, findings 2."),
        ("Info", "Shown: controls 1, findings 1."),
        ("Unknown", "Shown: controls 1, findings 0."),
        ("Fail", "Shown: controls 2, findings 3."),
        ("tenant", "Shown: controls 2, findings 2."),
    ] {
        let page = shown(&choose(value));
        assert!(page.contains(said), "{value}: {page}");
        let (all, hidden) = rows(&page);
        let numbers = said.split([' ', ',', '.']);
        let digits: usize = numbers.filter_map(|word| word.parse::<usize>().ok()).sum();
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
    assert!(page.contains("Shown: controls 7, findings 4."), "{page}");
}
