//! What changed between two texts, line by line, as a unified diff.

use std::fmt::Write as _;

/// Lines shown around a change.
const CONTEXT: usize = 3;

/// The most lines that may differ before the rest is told as one change: the work grows with its square.
const MAX_CHANGES: usize = 2_000;

/// A line of the edit script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Same(usize, usize),
    Gone(usize),
    New(usize),
}

/// A unified diff of two versions of a file; empty where they are equal.
pub fn unified(name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let (a, b): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let steps = script(&a, &b);
    let mut out = format!("--- {name}\n+++ {name}\n");
    let changed: Vec<usize> = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| !matches!(step, Step::Same(..)))
        .map(|(at, _)| at)
        .collect();
    let mut next = 0;
    while let Some(first) = changed.get(next).copied() {
        let mut last = first;
        while let Some(at) = changed.get(next).copied().filter(|at| *at <= last + 2 * CONTEXT + 1) {
            (last, next) = (at, next + 1);
        }
        hunk(&mut out, &a, &b, &steps, first.saturating_sub(CONTEXT), (last + CONTEXT + 1).min(steps.len()));
    }
    out
}

fn hunk(out: &mut String, a: &[&str], b: &[&str], steps: &[Step], from: usize, to: usize) {
    let before = |old: bool| {
        let counted = |step: &&Step| !matches!((old, step), (true, Step::New(_)) | (false, Step::Gone(_)));
        (steps[..from].iter().filter(counted).count(), steps[from..to].iter().filter(counted).count())
    };
    let range = |(start, count): (usize, usize)| {
        let first = if count == 0 { start } else { start + 1 };
        if count == 1 { first.to_string() } else { format!("{first},{count}") }
    };
    let _ = writeln!(out, "@@ -{} +{} @@", range(before(true)), range(before(false)));
    for step in &steps[from..to] {
        let (mark, line) = match step {
            Step::Same(at, _) => (' ', a[*at]),
            Step::Gone(at) => ('-', a[*at]),
            Step::New(at) => ('+', b[*at]),
        };
        out.push(mark);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// The shortest edit script between two lists of lines (Myers' greedy way).
fn script(a: &[&str], b: &[&str]) -> Vec<Step> {
    let front = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let back = a[front..].iter().rev().zip(b[front..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (am, bm) = (&a[front..a.len() - back], &b[front..b.len() - back]);
    let mut steps: Vec<Step> = (0..front).map(|at| Step::Same(at, at)).collect();
    match middle(am, bm) {
        Some(inner) => steps.extend(inner.into_iter().map(|step| match step {
            Step::Same(x, y) => Step::Same(x + front, y + front),
            Step::Gone(x) => Step::Gone(x + front),
            Step::New(y) => Step::New(y + front),
        })),
        None => {
            steps.extend((0..am.len()).map(|x| Step::Gone(x + front)));
            steps.extend((0..bm.len()).map(|y| Step::New(y + front)));
        }
    }
    steps.extend((0..back).map(|at| Step::Same(a.len() - back + at, b.len() - back + at)));
    steps
}

/// `None` where more than [`MAX_CHANGES`] lines differ.
fn middle(a: &[&str], b: &[&str]) -> Option<Vec<Step>> {
    let (n, m) = (a.len() as isize, b.len() as isize);
    let most = ((n + m) as usize).min(MAX_CHANGES);
    let zero = most as isize + 1;
    // Per number of changes: how far along `a` each diagonal reaches.
    let mut reach = vec![0isize; 2 * most + 3];
    let mut trace: Vec<Vec<isize>> = Vec::new();
    for changes in 0..=most as isize {
        trace.push(reach[(zero - changes - 1) as usize..=(zero + changes + 1) as usize].to_vec());
        for k in (-changes..=changes).step_by(2) {
            let at = (zero + k) as usize;
            let down = k == -changes || (k != changes && reach[at - 1] < reach[at + 1]);
            let mut x = if down { reach[at + 1] } else { reach[at - 1] + 1 };
            while x < n && x - k < m && a[x as usize] == b[(x - k) as usize] {
                x += 1;
            }
            reach[at] = x;
            if x >= n && x - k >= m {
                return Some(walk(&trace, n, m));
            }
        }
    }
    None
}

/// Goes back from the end along what [`middle`] noted.
fn walk(trace: &[Vec<isize>], n: isize, m: isize) -> Vec<Step> {
    let (mut x, mut y) = (n, m);
    let mut steps = Vec::new();
    for (changes, reach) in trace.iter().enumerate().rev() {
        let changes = changes as isize;
        let of = |k: isize| reach[(k + changes + 1) as usize];
        let k = x - y;
        let down = k == -changes || (k != changes && of(k - 1) < of(k + 1));
        let (from_x, from_y) = if changes == 0 {
            (0, 0)
        } else {
            let before = if down { k + 1 } else { k - 1 };
            (of(before), of(before) - before)
        };
        while x > from_x && y > from_y && (changes == 0 || x > from_x + isize::from(!down)) {
            (x, y) = (x - 1, y - 1);
            steps.push(Step::Same(x as usize, y as usize));
        }
        if changes > 0 {
            if down {
                y -= 1;
                steps.push(Step::New(y as usize));
            } else {
                x -= 1;
                steps.push(Step::Gone(x as usize));
            }
        }
    }
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_change_stands_between_its_neighbours() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12";
        insta::assert_snapshot!(unified("a.b2n", old, new), @r"
        --- a.b2n
        +++ a.b2n
        @@ -2,11 +2,11 @@
         2
         3
         4
        -5
        +five
         6
         7
         8
         9
         10
         11
        -12
        +12
        \ No newline at end of file
        ");
        assert_eq!(unified("a", old, old), "");
        assert!(unified("a", "", "x\n").contains("@@ -0,0 +1 @@\n+x\n"));
    }

    proptest! {
        #[test]
        fn the_script_makes_the_new_text_by_the_fewest_changes(
            a in proptest::collection::vec("[ab]", 0..12), b in proptest::collection::vec("[ab]", 0..12),
        ) {
            let (a, b): (Vec<&str>, Vec<&str>) =
                (a.iter().map(String::as_str).collect(), b.iter().map(String::as_str).collect());
            let steps = script(&a, &b);
            let (mut old, mut new, mut changes) = (Vec::new(), Vec::new(), 0);
            for step in &steps {
                match step {
                    Step::Same(x, y) => {
                        prop_assert_eq!(a[*x], b[*y]);
                        old.push(*x);
                        new.push(*y);
                    }
                    Step::Gone(x) => { old.push(*x); changes += 1 }
                    Step::New(y) => { new.push(*y); changes += 1 }
                }
            }
            prop_assert_eq!(old, (0..a.len()).collect::<Vec<_>>());
            prop_assert_eq!(new, (0..b.len()).collect::<Vec<_>>());
            // The plain oracle: the longest common subsequence.
            let mut common = vec![vec![0usize; b.len() + 1]; a.len() + 1];
            for x in 0..a.len() {
                for y in 0..b.len() {
                    common[x + 1][y + 1] = if a[x] == b[y] {
                        common[x][y] + 1
                    } else {
                        common[x][y + 1].max(common[x + 1][y])
                    };
                }
            }
            prop_assert_eq!(changes, a.len() + b.len() - 2 * common[a.len()][b.len()]);
        }
    }
}
