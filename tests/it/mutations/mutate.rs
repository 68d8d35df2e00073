//! What becomes of a text under a hand that does not care: tokens and lines gone, doubled and swapped, signs put in
//! that editors, keyboards and attackers put in.

use b2n::lang::fuzz::Dice;

/// What is put in somewhere.
const SIGNS: &[&str] = &[
    "\\",
    "\\\\",
    "\"",
    "\"\"",
    "{",
    "}",
    "{{",
    "}}",
    "(",
    ")",
    "[",
    "]",
    "`",
    "#",
    ",",
    ".",
    "|",
    "*",
    "?",
    "???",
    "<-",
    "=>",
    "->",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\0",
    "\u{feff}",
    "\u{a0}",
    "\u{2028}",
    "\u{202e}",
    "\u{2066}",
    "\u{301}",
    "e\u{301}\u{302}",
    "👩‍👩‍👧‍👦",
    "漢",
    "ñ",
    "0",
    "-1",
    "99999999999999999999999999999999",
    "0.00000000000000000000000000000000001",
    "1e9",
    "100%",
    "2027-02-30",
    "0001-01-01",
    "5 EUR",
    " else ",
    " when ",
    " on fail ",
    " on unmigrated wait ",
    " in a second pass ",
    " narrowed because \"x\" ",
    " labelled ",
    " has ",
    " not ",
    " unset ",
    " flag \"x\" ",
    " skip \"x\" ",
    " quarantine ",
    " stop ",
    " first ",
    "each ",
    " as other ",
    "replace ",
    "refine ",
    "proposed 0.5 ",
    "use \"standard\"\n",
];

/// A text with one change, or up to six.
pub fn mutate(text: &str, others: &[String], dice: &mut Dice) -> String {
    let mut text = text.to_owned();
    let most = if dice.one_in(4) { 6 } else { 1 };
    for _ in 0..1 + dice.below(most) {
        text = once(text, others, dice);
    }
    text
}

fn once(mut text: String, others: &[String], dice: &mut Dice) -> String {
    match dice.below(13) {
        0 => without(&text, dice, tokens),
        1 => without(&text, dice, lines),
        2 => doubled(&text, dice, tokens),
        3 => doubled(&text, dice, lines),
        4 => swapped(&text, dice, tokens),
        5 => swapped(&text, dice, lines),
        6 | 7 => {
            let at = boundary(&text, dice);
            text.insert_str(at, dice.pick(SIGNS).copied().unwrap_or_default());
            text
        }
        // One token for another of the same text: names where others were meant.
        8 | 9 => {
            let all = tokens(&text);
            let (Some(from), Some(to)) = (dice.pick(&all).cloned(), dice.pick(&all).cloned()) else {
                return text;
            };
            let word = text[from].to_owned();
            text.replace_range(to, &word);
            text
        }
        // A line of another spec.
        10 => {
            let Some(other) = dice.pick(others) else { return text };
            let line =
                dice.pick(&lines(other)).map(|range| other[range.clone()].to_owned()).unwrap_or_default();
            let at = dice.pick(&lines(&text)).map_or(0, |range| range.start);
            text.insert_str(at, &line);
            text
        }
        11 => {
            let (from, other) = (boundary(&text, dice), boundary(&text, dice));
            let end = text.len().min(from + 40);
            if (from..=end).contains(&other) {
                text.replace_range(from..other, "");
            }
            text
        }
        _ => {
            let sign = dice.pick(SIGNS).copied().unwrap_or_default();
            let at = boundary(&text, dice);
            text.insert_str(at, &sign.repeat(1 + dice.below(60)));
            text
        }
    }
}

/// A place between two characters.
fn boundary(text: &str, dice: &mut Dice) -> usize {
    let mut at = dice.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

type Cut = fn(&str) -> Vec<std::ops::Range<usize>>;

/// Words, texts in quotes, runs of blanks and single signs.
fn tokens(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    let mut kind = None;
    for (at, sign) in text.char_indices() {
        let now = match sign {
            ' ' => Some('b'),
            c if c.is_alphanumeric() || c == '_' => Some('w'),
            _ => None,
        };
        let end = at + sign.len_utf8();
        match found.last_mut() {
            Some(last) if now.is_some() && now == kind => last.end = end,
            _ => found.push(at..end),
        }
        kind = now;
    }
    found.retain(|range| !text[range.clone()].trim().is_empty());
    found
}

fn lines(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            start += line.len();
            start - line.len()..start
        })
        .collect()
}

fn without(text: &str, dice: &mut Dice, cut: Cut) -> String {
    let mut text = text.to_owned();
    if let Some(range) = dice.pick(&cut(&text)).cloned() {
        text.replace_range(range, "");
    }
    text
}

fn doubled(text: &str, dice: &mut Dice, cut: Cut) -> String {
    let mut text = text.to_owned();
    if let Some(range) = dice.pick(&cut(&text)).cloned() {
        let piece = format!(" {}", &text[range.clone()]);
        text.insert_str(range.end, &piece);
    }
    text
}

fn swapped(text: &str, dice: &mut Dice, cut: Cut) -> String {
    let all = cut(text);
    let (a, b) = (dice.below(all.len()), dice.below(all.len()));
    let (Some(a), Some(b)) = (all.get(a.min(b)), all.get(a.max(b))) else { return text.to_owned() };
    if a == b {
        return text.to_owned();
    }
    let (first, second) = (&text[a.clone()], &text[b.clone()]);
    [&text[..a.start], second, &text[a.end..b.start], first, &text[b.end..]].concat()
}

/// Bytes of any kind: noise, noise of few signs, or a text with some bytes changed.
pub fn bytes(texts: &[String], dice: &mut Dice) -> Vec<u8> {
    let length = dice.below(300);
    match dice.below(3) {
        0 => (0..length).map(|_| dice.roll() as u8).collect(),
        1 => (0..length)
            .map(|_| {
                *dice.pick(b"ab \n\r\"{}()[]`#:,-&*|>!%@<=?.\x00\xff\xc3\xa9\xef\xbb\xbf").unwrap_or(&b' ')
            })
            .collect(),
        _ => {
            let mut bytes = dice.pick(texts).map(|text| text.clone().into_bytes()).unwrap_or_default();
            for _ in 0..1 + dice.below(6) {
                let at = dice.below(bytes.len());
                match dice.below(3) {
                    0 if !bytes.is_empty() => bytes[at] = dice.roll() as u8,
                    1 => bytes.truncate(at),
                    _ => bytes.insert(at, dice.roll() as u8),
                }
            }
            bytes
        }
    }
}
