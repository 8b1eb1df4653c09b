//! The receiving side of a tree: it drives. It asks for the entries, makes the folders, finds out which files it lacks, asks for these, and gives them their names when they are safe.
//!
//! [`asks`] knows what was asked, [`entries`], [`contents`] and [`compare`] deal with the answers, [`plan`] decides about a file, [`alike`] deals with those that are equal, [`stage`] and [`large`] hold what waits for its name, [`folders`] what is to be like its source at the end,
//! [`tally`] counts, [`end`] says what is left of it all. What fails with one file is told at the end and harms no other; what ends the transfer leaves
//! the files that have their names, and nothing half-done: the same request goes on from there, since what is equal is not moved again.

mod alike;
mod asks;
mod compare;
mod contents;
mod end;
mod entries;
mod folders;
mod large;
mod plan;
mod stage;
mod tally;
mod target;

use std::collections::{BTreeMap, VecDeque};

use file_transfer_types::errors::{Side, from_send, from_vfs};
use file_transfer_types::names;
use file_transfer_types::options::Tree;
use file_transfer_types::protocol::{FileRequest, InternalRequest, InternalResponse, TreeEntry, TreePage};
use file_transfer_types::types::{TransferError, TransferState, TransferSummary};
use transship_guest::bindings::transship::host::vfs::FileSettings;
use transship_guest::drive::{Directory, Metadata};
use transship_guest::message::{Blob, Completion, SendErrorKind};

use super::PAGES_AHEAD;
use crate::clock::{micros, now};
use crate::receive::window::Window;
use crate::receive::{self, Job, LAST_WORDS, Retry};
use crate::rivals;
use crate::session::{Event, Session};
use asks::{Asks, Lost, Question};
use folders::Folders;
use large::Large;
use plan::How;
use stage::Stage;
use tally::Tally;
use target::Target;

/// How many large files are received at a time.
const LARGES: usize = 4;
/// How many pages are asked for before the first has come.
const FIRST_PAGES: u32 = 2;

/// What is still to be asked for.
#[derive(Debug)]
enum Todo {
    /// Small files.
    Files(Group),
    /// A large file, or one that is too large for a slow line; then, how often it was asked for in vain as a small one.
    Large(FileRequest, How, u32),
    /// A file that may be equal to what is there.
    Compare(FileRequest, Option<Metadata>),
}

/// Small files of a page that are asked for together.
#[derive(Debug)]
struct Group {
    page: u32,
    files: Vec<u32>,
    /// How often they were asked for in vain.
    tries: u32,
    /// Their digest did not fit before.
    doubted: bool,
}

impl Group {
    /// Of files that have not been asked for.
    fn new(page: u32, files: Vec<u32>) -> Self {
        Self { page, files, tries: 0, doubted: false }
    }
}

/// A page of which not all files are done.
#[derive(Debug)]
struct Page {
    entries: Vec<TreeEntry>,
    /// How the files get their names that are fetched.
    how: BTreeMap<u32, How>,
    /// How many files are to be fetched or compared.
    left: usize,
}

struct Receiving<'a> {
    session: &'a mut Session,
    tree: &'a Tree,
    root: Option<Directory>,
    drive: String,
    path: String,
    source: String,
    slot: u32,
    /// Bytes to ask for at a time, at most.
    chunk: u32,
    asks: Asks,
    /// A tick comes when more may be asked for.
    waking: bool,
    todo: VecDeque<Todo>,
    /// Pages that came before their turn.
    arrived: BTreeMap<u32, TreePage>,
    /// Pages of which not all files are done.
    pages: BTreeMap<u32, Page>,
    /// The next page to ask for, and the next to be dealt with.
    asked_pages: u32,
    next_page: u32,
    /// There are no more pages.
    last_page: bool,
    larges: Vec<Large>,
    /// Digests of what is here, by operation: of which file, and what the sender says, and what was found, as far as known.
    comparing: Vec<compare::Comparison>,
    stage: Stage,
    tally: Tally,
    /// Folders that are to be like those of the source, and are not yet.
    folders: Folders,
    /// What the tree's own folder is to be like at the end. None: as it is.
    top: Option<TreeEntry>,
    /// Whether that may be changed: a drive's root is nothing that another node decides about.
    sets_top: bool,
    /// What is to be set of files that are equal.
    settings: Vec<FileSettings>,
    /// The last sync, of all names.
    last_sync: Option<u64>,
    /// The sender has ended: since when that is known, and the error if it has not said why.
    gone: Option<(u64, TransferError)>,
}

/// Receives a tree.
pub(crate) fn run(session: &mut Session, job: &Job, tree: &Tree) -> Result<TransferSummary, TransferError> {
    if let Some(from) = job.from.clone() {
        session.set_counterpart(from);
    }
    names::check_folder(&job.name)?;
    let mut target = Target::open(job, tree.dry_run)?;
    let node = session.node.clone();
    let stem = |slot: u32| receive::stem(&node, &job.name, &["tree", &slot.to_string()]);
    let left = |slots: &[u32]| {
        let stages: Vec<String> = slots.iter().map_while(|&slot| stem(slot).ok()).map(|stem| Stage::path(&stem)).collect();
        let index = target.root.as_ref()?.metadata_of(&stages).iter().position(Result::is_ok)?;
        slots.get(index).copied()
    };
    let slot = rivals::settle(session, job.slot, &job.rivals, left)?;
    let mut stage = Stage::new(&stem(slot)?);
    let outcome = (|| {
        if let Some(root) = target.root.as_ref().filter(|_| !tree.dry_run) {
            stage.clear(root)?;
        }
        if let Some((to, request)) = &job.ask {
            receive::ask(session, to, request)?;
        }
        session.enter(TransferState::Transferring);
        let settings = &session.settings;
        let window = if settings.adaptive { Window::adaptive(micros()) } else { Window::fixed(settings.window(settings.chunk)) };
        let asks = Asks::new(settings.retries, window, settings.limit);
        let mut receiving = Receiving {
            chunk: asks.limited(settings.chunk),
            asks,
            session,
            tree,
            root: target.root.take(),
            drive: target.drive.clone(),
            path: target.path.clone(),
            source: job.name.clone(),
            slot,
            waking: false,
            todo: VecDeque::new(),
            arrived: BTreeMap::new(),
            pages: BTreeMap::new(),
            asked_pages: 0,
            next_page: 0,
            last_page: false,
            larges: Vec::new(),
            comparing: Vec::new(),
            stage,
            tally: Tally::new(),
            folders: Folders::default(),
            top: None,
            sets_top: tree.folders && (job.ask.is_some() || !target.path.is_empty()),
            settings: Vec::new(),
            last_sync: None,
            gone: None,
        };
        let outcome = receiving.fetch();
        receiving.end(outcome)
    })();
    if outcome.is_err() {
        // Those that were made for nothing.
        target.remove_folders();
    }
    outcome
}

impl Receiving<'_> {
    /// Until everything is known, moved, named and safe.
    fn fetch(&mut self) -> Result<(), TransferError> {
        loop {
            if let Some((since, error)) = &self.gone {
                if now().saturating_sub(*since) >= LAST_WORDS {
                    return Err(error.clone());
                }
            } else if self.session.may_send() {
                self.ask()?;
            }
            let all_here = self.all_here();
            // Before the folders that they are in get their permissions.
            self.set_all();
            if let Some(root) = &self.root {
                self.stage.sync(root, all_here);
            }
            self.larges.iter_mut().for_each(Large::sync);
            self.finish_folders();
            if all_here && self.stage.is_empty() && self.last_sync.is_none() && !self.finish_up() {
                return Ok(());
            }
            self.session.busy = self.asks.waiting();
            match self.session.next()? {
                Event::Answer(number, answer, blob) => self.answer(number, answer, blob)?,
                Event::NoAnswer(number, kind) => self.no_answer(number, &kind)?,
                Event::Completion(completion) if self.last_sync == Some(completion.operation) => {
                    return completion.outcome.map(drop).map_err(TransferError::Failed);
                }
                Event::Completion(completion) => self.completed(&completion)?,
                Event::Told(InternalRequest::Failed(error)) => {
                    self.session.told_by_counterpart = true;
                    return Err(error);
                }
                Event::Tick => {
                    self.waking = false;
                    self.session.report();
                }
                _ => {}
            }
        }
    }

    /// Whether all files are in the stage, or have their names, or have failed.
    fn all_here(&self) -> bool {
        self.last_page
            && self.next_page == self.asked_pages
            && self.pages.is_empty()
            && self.asks.open() == 0
            && self.todo.is_empty()
            && self.larges.is_empty()
            && self.comparing.is_empty()
    }

    /// Folders in which nothing is done any more get their times and permissions.
    fn finish_folders(&mut self) {
        let Some(root) = &self.root else { return };
        let open_page = self.pages.keys().next().copied().unwrap_or(self.next_page);
        while let Some(folder) = self.folders.next(open_page, self.stage.filling(), self.stage.named()) {
            if let Err(error) = root.set_directory(&folder.path, folder.modified, folder.permissions & 0o777) {
                self.tally.other_failed(&folder.path, from_vfs(error, &folder.path, Side::Receiver));
            }
        }
    }

    /// Asks for all that the window has room for: first what was asked before and has not come.
    fn ask(&mut self) -> Result<(), TransferError> {
        while let Some((number, request)) = self.asks.again(micros()) {
            self.session.ask(number, &request);
        }
        // What a page says is asked for before more pages: its sender makes them one after the other, and meanwhile nothing would come of the first.
        let mut enough = false;
        while !enough && self.asks.has_room(self.asks.chunk(self.chunk), micros()) {
            enough = !self.ask_for_contents()?;
        }
        let first = self.pages.keys().next().copied().unwrap_or(self.next_page).min(self.next_page);
        let ahead = if self.next_page == 0 { FIRST_PAGES } else { PAGES_AHEAD };
        while !self.last_page && self.asked_pages < first + ahead && self.asks.has_room_for_page() {
            self.question(Question::Page(self.asked_pages), 0, 0);
            self.asked_pages += 1;
        }
        if enough {
            return Ok(());
        }
        if let Some(pause) = self.asks.pause(micros()).filter(|_| !self.waking) {
            self.session.tick_after(pause);
            self.waking = true;
        }
        Ok(())
    }

    fn question(&mut self, question: Question, bytes: u64, tries: u32) {
        let request = question.request();
        let number = self.asks.ask(question, bytes, tries, micros());
        self.session.ask(number, &request);
    }

    fn answer(&mut self, number: u32, answer: InternalResponse, blob: Option<Blob>) -> Result<(), TransferError> {
        let Some(question) = self.asks.answered(number, micros()) else { return Ok(()) };
        if let Some(count) = self.asks.streams() {
            self.session.want_streams(count);
        }
        match (question, answer) {
            (Question::Page(number), InternalResponse::Page(page)) => {
                self.arrived.insert(number, page?);
                while let Some(page) = self.arrived.remove(&self.next_page) {
                    self.entries(self.next_page, page)?;
                    self.next_page += 1;
                }
            }
            (Question::Files(asked, doubted), InternalResponse::Files(sent)) => self.files(&asked, doubted, &sent?, blob.as_ref())?,
            (Question::Part(asked, attempt), InternalResponse::Part(outcome)) => self.part(&asked, attempt, outcome, blob.as_ref())?,
            (Question::Digest(asked), InternalResponse::DigestOf(outcome)) => self.digest(asked, outcome)?,
            _ => return Err(TransferError::Failed(format!("{} answered a question with something else", self.session.node))),
        }
        self.report_progress();
        Ok(())
    }

    fn no_answer(&mut self, number: u32, kind: &SendErrorKind) -> Result<(), TransferError> {
        let what = "a part of the folder was asked for";
        let lost = match kind {
            SendErrorKind::Timeout => self.asks.timed_out(number, micros()),
            // The bytes could not be read when their turn came to be sent. The sender, asked again, says why.
            SendErrorKind::Denied(_) => self.asks.refused(number),
            SendErrorKind::NoSuchProcess => {
                let error = || from_send(kind, &self.session.node, what);
                self.gone.get_or_insert_with(|| (now(), error()));
                return Ok(());
            }
            _ => {
                self.session.try_again_after(kind, what)?;
                self.asks.dropped(number)
            }
        };
        let ended = match lost {
            Lost::Again => false,
            // What was asked for last comes first again: so a sender that is gone is found to be that.
            Lost::Files(files, tries, doubted) => {
                self.todo.push_front(Todo::Files(Group { page: files.page, files: files.files, tries, doubted }));
                false
            }
            Lost::Part(part, attempt, counts) => self.part_lost(&part, attempt, counts) == Retry::GiveUp,
            Lost::GiveUp => true,
        };
        if ended { Err(from_send(kind, &self.session.node, what)) } else { Ok(()) }
    }

    fn completed(&mut self, completion: &Completion) -> Result<(), TransferError> {
        if self.stage.is(completion.operation) {
            let outcome = completion.outcome.as_ref().map_err(|text| TransferError::Failed(text.clone()))?;
            let named = self.root.as_ref().map(|root| self.stage.go_on(root, completion.operation, outcome)).unwrap_or_default();
            for (file, outcome) in named {
                self.named(&file.path, file.size, file.how, outcome.map_err(|error| from_vfs(error, &file.path, Side::Receiver)));
            }
        } else if !self.large_completed(completion)? {
            self.compared(completion);
        }
        self.report_progress();
        Ok(())
    }

    /// How far it is.
    fn update_progress(&mut self) {
        let progress = &mut self.session.progress;
        progress.files_done = Some(self.tally.files + self.stage.waiting());
        if self.last_page && self.next_page == self.asked_pages {
            progress.files_total = Some(self.tally.listed);
            progress.bytes_total = Some(self.tally.planned);
        }
    }

    /// How far it is, for the parent and the sender.
    fn report_progress(&mut self) {
        self.update_progress();
        self.session.further();
        self.session.report();
    }
}
