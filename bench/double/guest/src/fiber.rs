//! Code that waits in the middle of a call, in a task that must not: it runs on a stack of its own, and is left there while it waits, which is how the engine runs guests too.
//!
//! What always holds: a fiber is resumed by the task that polls it and by nothing else; while it runs, and only then, [`CURRENT`] of that thread points at its context; the context is older than what runs on the stack and lives
//! longer. A fiber that is dropped while it waits unwinds: its handles are dropped without telling the node, which closes all of them with the process.

#![allow(unsafe_code, reason = "a stack of its own moves from thread to thread, and finds its context through a thread's variable")]

use std::any::Any;
use std::cell::{Cell, RefCell, RefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::ptr;
use std::task::{self, Poll, Waker};

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use transship::native::{Error, ProcessState, Running, interfaces};

use crate::address::Address;

/// What the engine gives a guest (host/src/engine.rs).
const STACK: usize = 1 << 20;

thread_local! {
    static CURRENT: Cell<*const Context> = const { Cell::new(ptr::null()) };
}

/// What the code of a process needs to call the node.
pub(crate) struct Context {
    state: RefCell<ProcessState>,
    waker: RefCell<Waker>,
    /// Set when the code begins.
    yielder: Cell<*const Yielder<(), ()>>,
}

impl Context {
    /// What the node keeps of the process.
    pub(crate) fn state(&self) -> RefMut<'_, ProcessState> {
        self.state.borrow_mut()
    }

    /// Waits for what the node does, leaving the thread to others meanwhile.
    pub(crate) fn wait<F: Future + Send>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            let polled = future.as_mut().poll(&mut task::Context::from_waker(&self.waker.borrow()));
            match polled {
                Poll::Ready(output) => return output,
                // SAFETY: only code on the stack gets here, so it has begun and set this, and the yielder lives as long as the code runs.
                Poll::Pending => unsafe { &*self.yielder.get() }.suspend(()),
            }
        }
    }
}

/// Not inlined: where a thread keeps its variables must be asked for again after each wait, since another thread may go on.
#[inline(never)]
fn current() -> *const Context {
    CURRENT.get()
}

/// Calls the node, which is done with the context of the process that runs on this thread. None: none does, so there is nobody to tell.
pub(crate) fn with<R>(call: impl FnOnce(&Context) -> R) -> Option<R> {
    // SAFETY: it points at something while the code of a fiber runs on this thread, which is the only caller, and the fiber keeps the context until that has ended.
    unsafe { current().as_ref() }.map(call)
}

/// The same, and ends the process where a component would trap.
pub(crate) fn call<R>(call: impl FnOnce(&Context) -> Result<R, Error>) -> R {
    match with(call) {
        Some(Ok(answer)) => answer,
        Some(Err(trap)) => resume_unwind(Box::new(format!("{trap:#}"))),
        None => resume_unwind(Box::new("no process runs on this thread".to_owned())),
    }
}

/// Calls a function of the node that answers at once.
macro_rules! host {
    ($function:path $(, $argument:expr)*) => { $crate::fiber::call(|context| $function(&mut *context.state() $(, $argument)*)) };
}

/// Calls one that may wait.
macro_rules! host_await {
    ($function:path $(, $argument:expr)*) => {
        $crate::fiber::call(|context| {
            let mut state = context.state();
            context.wait($function(&mut *state $(, $argument)*))
        })
    };
}

/// The code of a process, on its stack.
struct Fiber {
    // Before the context, which it uses until it has unwound.
    code: Coroutine<(), (), Result<(), String>, DefaultStack>,
    context: Box<Context>,
}

// SAFETY: what is on the stack is the code of one process, written for one thread, which shares nothing with others but through the node; what it keeps while it waits are its own values and a future that is `Send`.
// The context is used by that code and by whoever polls, never by both at a time.
unsafe impl Send for Fiber {}

/// Where the context of a fiber is.
struct Place(*const Context);

impl Fiber {
    fn new(state: ProcessState, our: Address, process: fn(Address) -> Result<(), String>) -> std::io::Result<Self> {
        let context = Box::new(Context { state: RefCell::new(state), waker: RefCell::new(Waker::noop().clone()), yielder: Cell::new(ptr::null()) });
        let place = Place(&raw const *context);
        let code = Coroutine::with_stack(DefaultStack::new(STACK)?, move |yielder: &Yielder<(), ()>, ()| {
            let Place(context) = place;
            // SAFETY: the fiber keeps the context where it is until this has ended.
            unsafe { &*context }.yielder.set(yielder);
            process(our)
        });
        Ok(Self { code, context })
    }
}

impl Future for Fiber {
    type Output = Result<(), String>;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.context.waker.borrow_mut().clone_from(task.waker());
        CURRENT.set(&raw const *self.context);
        let resumed = catch_unwind(AssertUnwindSafe(|| self.code.resume(())));
        CURRENT.set(ptr::null());
        match resumed {
            Ok(CoroutineResult::Yield(())) => Poll::Pending,
            Ok(CoroutineResult::Return(outcome)) => Poll::Ready(outcome),
            Err(panic) => Poll::Ready(Err(said(panic))),
        }
    }
}

/// What a panic has to say.
fn said(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or_else(|| "it panicked".to_owned(), |text| (*text).to_owned()),
    }
}

/// Runs a process natively: what `process!` made of it, with what the node keeps of it.
pub fn run(state: ProcessState, our: interfaces::standard::Address, process: fn(Address) -> Result<(), String>) -> Running {
    match Fiber::new(state, our.into(), process) {
        Ok(fiber) => Box::pin(fiber),
        Err(error) => Box::pin(std::future::ready(Err(format!("there is no stack for it: {error}")))),
    }
}
