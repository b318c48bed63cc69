//! Every link of every Markdown file in the repository leads somewhere.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Folders that are not the repository's.
const FOREIGN: [&str; 2] = ["target", "node_modules"];

/// A Markdown file as far as links are concerned.
struct Page {
    /// Where each link leads, with its line.
    links: Vec<(usize, String)>,
    /// What can be linked to.
    anchors: BTreeSet<String>,
}

#[test]
fn every_relative_link_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 100 && pages.contains_key(Path::new("README.md")));
    let mut broken = Vec::new();
    for (path, page) in &pages {
        for (line, link) in &page.links {
            if let Err(why) = follow(&pages, path, link) {
                broken.push(format!("{}:{line}: {link}: {why}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_index_lists_every_page() {
    let pages = pages();
    let index = &pages[Path::new("docs/README.md")];
    let listed: BTreeSet<PathBuf> = index
        .links
        .iter()
        .map(|(_, link)| Path::new("docs").join(link))
        .collect();
    let in_docs = pages
        .keys()
        .filter(|path| path.parent() == Some(Path::new("docs")));
    let missing: Vec<_> = in_docs
        .filter(|path| !path.ends_with("README.md") && !listed.contains(*path))
        .collect();
    assert!(missing.is_empty(), "docs/README.md does not list {missing:?}");
}

fn follow(pages: &BTreeMap<PathBuf, Page>, from: &Path, link: &str) -> Result<(), String> {
    if is_elsewhere(link) {
        return Ok(());
    }
    let (path, anchor) = link
        .split_once('#')
        .map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() {
        from.to_owned()
    } else {
        normal(&from.parent().unwrap().join(path)).ok_or("it leaves the repository")?
    };
    // `exists` would forgive what leads through a folder that is not there.
    if !target.as_os_str().is_empty() && !target.exists() {
        return Err("there is no such file".to_owned());
    }
    let Some(anchor) = anchor else {
        return Ok(());
    };
    match pages.get(&target) {
        Some(page) if page.anchors.contains(anchor) => Ok(()),
        Some(_) => Err(format!("{} has no heading of that name", target.display())),
        // Lines of sources.
        None if anchor.starts_with('L') => Ok(()),
        None => Err("only pages have anchors".to_owned()),
    }
}

fn is_elsewhere(link: &str) -> bool {
    ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| link.starts_with(scheme))
}

/// A path without `.` and `..`; `None` above the root.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::Normal(name) => normal.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}

fn pages() -> BTreeMap<PathBuf, Page> {
    let mut pages = BTreeMap::new();
    collect(Path::new("."), &mut pages);
    pages
}

fn collect(folder: &Path, pages: &mut BTreeMap<PathBuf, Page>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_foreign = FOREIGN.contains(&name.as_str()) || (name.starts_with('.') && name != ".github");
            if !is_foreign {
                collect(&path, pages);
            }
        } else if name.to_lowercase().ends_with(".md") {
            let text = fs::read_to_string(&path).unwrap();
            pages.insert(normal(&path).unwrap(), read(&text));
        }
    }
}

fn read(text: &str) -> Page {
    let mut page = Page {
        links: Vec::new(),
        anchors: BTreeSet::new(),
    };
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut fence: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        let bare = line.trim_start();
        let ticks: String = bare.chars().take_while(|&it| it == '`' || it == '~').collect();
        if ticks.len() >= 3 {
            match &fence {
                None => fence = Some(ticks),
                Some(open) if bare.trim_end() == open => fence = None,
                Some(_) => {}
            }
            continue;
        }
        if fence.is_some() {
            continue;
        }
        if let Some(heading) = heading(line) {
            let slug = slug(heading);
            let seen = times.entry(slug.clone()).or_default();
            page.anchors.insert(if *seen == 0 {
                slug
            } else {
                format!("{slug}-{seen}")
            });
            *seen += 1;
        }
        let prose = without_code(line);
        for attribute in ["id=\"", "name=\""] {
            page.anchors.extend(quoted(&prose, attribute).map(str::to_owned));
        }
        page.links.extend(links(&prose).map(|link| (number + 1, link)));
    }
    page
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let depth = line.len() - text.len();
    (1..=6).contains(&depth).then(|| text.strip_prefix(' ')).flatten()
}

/// The anchor that GitHub gives a heading.
fn slug(heading: &str) -> String {
    let mut text = heading.trim().to_owned();
    // Of a link, its text is seen.
    while let Some((before, rest)) = text.split_once("](") {
        let Some((_, after)) = rest.split_once(')') else {
            break;
        };
        text = format!("{before}]{after}");
    }
    text.to_lowercase()
        .chars()
        .filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'))
        .map(|it| if it == ' ' { '-' } else { it })
        .collect()
}

/// The line with its code spans taken out.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("")
}

fn quoted<'a>(text: &'a str, attribute: &str) -> impl Iterator<Item = &'a str> {
    let parts = text.split(attribute).skip(1).collect::<Vec<_>>();
    parts.into_iter().filter_map(|rest| rest.split('"').next())
}

/// Targets of `[text](target)`, `[name]: target`, `href` and `src`.
fn links(prose: &str) -> impl Iterator<Item = String> {
    let inline = prose.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?;
        // A title may follow.
        target.split_whitespace().next().map(str::to_owned)
    });
    let defined = prose
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .and_then(|(_, target)| target.split_whitespace().next())
        .map(str::to_owned);
    let html = ["href=\"", "src=\""]
        .map(|attribute| quoted(prose, attribute).map(str::to_owned).collect::<Vec<_>>());
    let mut all: Vec<String> = inline.collect();
    all.extend(defined);
    all.extend(html.into_iter().flatten());
    all.into_iter()
        .map(|link| link.trim_matches(['<', '>']).to_owned())
}

#[test]
fn what_is_broken_is_seen() {
    let page = "# A `b` c-d: e!\n## Twice\n## Twice\n```\n# no heading [x](nowhere)\n```\n\
                [ok](#a-b-c-d-e) [second](#twice-1) [code](src/main.rs#L3) [wrong](#twice-2) `[code](gone)`\n\
                [gone](docs/gone.md) [out](../out) [titled](README.md \"title\")\n\
                <a id=\"own\"></a> [own](#own)\n[named]: missing.md\n";
    let mut pages = BTreeMap::new();
    pages.insert(PathBuf::from("README.md"), read(page));
    let broken: Vec<&str> = pages[Path::new("README.md")]
        .links
        .iter()
        .filter(|(_, link)| follow(&pages, Path::new("README.md"), link).is_err())
        .map(|(_, link)| link.as_str())
        .collect();
    assert_eq!(broken, ["#twice-2", "docs/gone.md", "../out", "missing.md"]);
}
