//! Files as they are in repositories of Flux, with secrets in half of them, and with what only looks like one in the
//! others. The same number makes the same files. Values are made up while it runs: there is none in this repository.

mod secrets;
mod tokens;
mod traps;
mod values;

use std::path::Path;

use values::Values;

/// Files that belong together, and where secrets stand in them.
pub(crate) struct Document {
    /// What it is made of.
    pub(crate) shape: &'static str,
    pub(crate) files: Vec<File>,
}

/// A file.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) places: Vec<Place>,
}

/// Lines with a secret, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// A shape: its name, and what makes a document of it. Secrets stand between `⟦` and `⟧`.
pub(crate) type Shape = (&'static str, fn(&mut Values) -> Vec<(String, String)>);

/// So many documents, half of them with secrets, of every shape in turn.
pub(crate) fn documents(count: usize) -> Vec<Document> {
    let mut values = Values::new();
    let shapes: Vec<Shape> = secrets::SHAPES.iter().chain(tokens::SHAPES).copied().collect();
    let of = |shapes: &[Shape], count: usize, values: &mut Values| -> Vec<Document> {
        let shapes = shapes.iter().cycle().take(count);
        shapes
            .map(|(shape, make)| document(shape, make(values), values))
            .collect()
    };
    let mut all = of(&shapes, count / 2, &mut values);
    all.extend(of(traps::SHAPES, count - count / 2, &mut values));
    for (number, document) in all.iter_mut().enumerate() {
        for file in &mut document.files {
            file.path = format!("d{number:05}/{}", file.path);
        }
    }
    all
}

fn document(shape: &'static str, files: Vec<(String, String)>, values: &mut Values) -> Document {
    let is_stream = files.len() == 1;
    let files = files.into_iter().map(|(path, marked)| {
        let is_alone = is_yaml(&path) && is_stream && !path.contains("kustomization");
        let marked = if is_alone { dressed(marked, values) } else { marked };
        let (text, places) = unmarked(&marked);
        let bytes = encoded(&path, text, values);
        File { path, bytes, places }
    });
    Document {
        shape,
        files: files.collect(),
    }
}

fn is_yaml(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|it| it == "yaml")
}

/// Among others, behind a comment, or as it is.
fn dressed(text: String, values: &mut Values) -> String {
    let before = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: apps\n---\n";
    match values.below(6) {
        0 => format!("{before}{text}"),
        1 => format!("---\n# {}\n{text}", values.name()),
        2 => format!(
            "{text}---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {}\n",
            values.name()
        ),
        3 => format!("---\n{text}...\n"),
        _ => text,
    }
}

/// As UTF-8 mostly, with the ends of lines of others, or as what other systems write.
fn encoded(path: &str, text: String, values: &mut Values) -> Vec<u8> {
    if !is_yaml(path) {
        return text.into_bytes();
    }
    match values.below(40) {
        0 => text.replace('\n', "\r\n").into_bytes(),
        1 => format!("\u{feff}{text}").into_bytes(),
        _ => text.into_bytes(),
    }
}

/// The text without marks, and where they were.
fn unmarked(marked: &str) -> (String, Vec<Place>) {
    let (mut text, mut places) = (String::new(), Vec::new());
    let mut line = 1;
    let mut first = None;
    for letter in marked.chars() {
        match letter {
            '⟦' => first = Some(line),
            '⟧' => places.extend(first.take().map(|first| Place { first, last: line })),
            letter => {
                line += u32::from(letter == '\n');
                text.push(letter);
            }
        }
    }
    (text, places)
}
