//! Messages between nodes: each node runs this process, and they send each other lines.

use serde::{Deserialize, Serialize};
use transship_guest::ask::describe;
use transship_guest::keep;
use transship_guest::prelude::*;

transship_guest::process!(init);

/// What this process can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Question {
    /// By the owner of this node: send a line to another node.
    Send { to: String, text: String },
    /// By the owner of this node: all lines, the oldest first.
    Read,
    /// By this process on another node: a line from there.
    Say(String),
}

/// A line, as it is shown and as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    from: String,
    to: String,
    text: String,
}

/// As many lines are kept.
const MOST: usize = 1_000;

struct Chat {
    our: Address,
    lines: Vec<Line>,
}

impl Service for Chat {
    type Request = Question;
    type Answer = Vec<Line>;
    type Error = String;

    fn request(&mut self, question: Question, asked: &mut Asked) -> Result<Vec<Line>, String> {
        // The node vouches for the source: nobody else can say that they are bob.
        let from = asked.source().node.clone();
        let is_ours = from == self.our.node;
        match question {
            Question::Send { to, text } if is_ours => {
                let there = Address::new(&to, self.our.process.clone());
                let request = Request::to(&there).json(&Question::Say(text.clone())).map_err(|error| error.to_string())?;
                // Without waiting: if two nodes waited for each other at the same time, neither would answer. The answer comes as a `response`, or a `send_error`.
                request.timeout(10_000).send().map_err(|error| describe(&error.kind))?;
                self.keep(Line { from, to, text })?;
                Ok(Vec::new())
            }
            Question::Read if is_ours => Ok(self.lines.clone()),
            Question::Say(text) => {
                info!("{from} says: {text}");
                self.keep(Line { from, to: self.our.node.clone(), text })?;
                Ok(Vec::new())
            }
            Question::Send { .. } | Question::Read => Err(format!("only {} may ask that", self.our.node)),
        }
    }
}

impl Chat {
    fn keep(&mut self, line: Line) -> Result<(), String> {
        self.lines.push(line);
        let surplus = self.lines.len().saturating_sub(MOST);
        self.lines.drain(..surplus);
        // On disk when this returns: a restart of the node finds it.
        keep::save(&self.lines).map_err(|error| error.to_string())
    }
}

fn init(our: Address) -> Result<(), String> {
    let lines = keep::load().map_err(|error| error.to_string())?.unwrap_or_default();
    serve(Chat { our, lines })
}
