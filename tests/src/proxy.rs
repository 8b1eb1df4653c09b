//! A wire between two nodes that a test can hold, cut and spoil.
//!
//! It forwards connections and knows nothing of what they carry. Since a node opens its connections to the address in the other's ticket, a ticket with the proxy's address puts it in
//! between. What always holds: it forwards bytes in order and completely until it is told otherwise, and nothing of it is left when it is dropped.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::SOON;

/// What the kernel may keep of what comes over a connection that is held.
const KEPT: u32 = 64 << 10;

/// Which way something passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From who called to where the proxy leads.
    ToTarget,
    /// Back.
    FromTarget,
}

impl Direction {
    /// The other one.
    pub fn back(self) -> Self {
        if self == Self::ToTarget { Self::FromTarget } else { Self::ToTarget }
    }
}

/// See the module. Dropping it closes all its connections.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    gate: Mutex<Gate>,
    /// The gate has changed.
    changed: Condvar,
    connections: Mutex<Vec<Arc<Connection>>>,
    /// Connections there have ever been.
    opened: AtomicUsize,
    /// Ends of forwarding, two for each connection.
    ends: AtomicUsize,
    /// Bytes that have been forwarded, both directions of all connections together.
    forwarded: AtomicU64,
    /// The next piece that goes this way and has at least so many bytes gets a wrong bit.
    spoil: Mutex<Option<(Direction, usize)>>,
    ended: AtomicBool,
}

#[derive(Default)]
struct Gate {
    /// Bytes that may still pass; none: as many as come.
    left: Option<u64>,
    /// Nothing passes any more from the first piece on that goes this way and has at least so many bytes.
    at: Option<(Direction, usize)>,
    /// Bytes that may pass from the target to its caller on each connection; none: as many as come.
    each: Option<u64>,
    /// Bytes a second that pass on each connection, in each direction; none: as many as come.
    pace: Option<u64>,
    /// Somebody has something to forward and may not.
    waiting: bool,
}

struct Connection {
    near: TcpStream,
    far: TcpStream,
    /// Bytes that came from the target.
    answered: AtomicU64,
    cut: AtomicBool,
    /// Nothing passes any more, and neither end is told.
    deaf: AtomicBool,
}

impl Connection {
    fn close(&self) {
        self.cut.store(true, Ordering::SeqCst);
        // It may be closed already.
        drop(self.near.shutdown(Shutdown::Both));
        drop(self.far.shutdown(Shutdown::Both));
    }
}

impl Proxy {
    /// Leads to this address.
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            gate: Mutex::default(),
            changed: Condvar::new(),
            connections: Mutex::default(),
            opened: AtomicUsize::new(0),
            ends: AtomicUsize::new(0),
            forwarded: AtomicU64::new(0),
            spoil: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        let acceptor = std::thread::spawn(move || {
            let mut forwarders = Vec::new();
            for near in listener.incoming().map_while(Result::ok) {
                if accepting.ended.load(Ordering::SeqCst) {
                    break;
                }
                forwarders.extend(accepting.connect(near));
            }
            for forwarder in forwarders {
                drop(forwarder.join());
            }
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections lead here from now on.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// How many connections there have been.
    pub fn opened(&self) -> usize {
        self.shared.opened.load(Ordering::SeqCst)
    }

    /// How many bytes have been forwarded, both directions of all connections together.
    pub fn forwarded(&self) -> u64 {
        self.shared.forwarded.load(Ordering::SeqCst)
    }

    /// Nothing passes on the connections that there are, and neither end learns when the other is gone: as when a machine loses its power, or a router its memory. New connections are not concerned.
    pub fn go_deaf(&self) {
        for connection in self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            connection.deaf.store(true, Ordering::SeqCst);
        }
    }

    /// Lets about so many bytes pass from now on, both directions of all connections together, and holds everything that follows.
    pub fn hold_after(&self, bytes: u64) {
        self.set(Gate { left: Some(bytes), ..Gate::default() });
    }

    /// Lets everything pass until a piece of at least `least` bytes is to go this way, and holds that piece and everything that follows. (A piece is what was read at a time: 64 KiB at most.)
    pub fn hold_at(&self, direction: Direction, least: usize) {
        self.set(Gate { at: Some((direction, least)), ..Gate::default() });
    }

    /// Lets about so many bytes pass from the target on each connection by itself, and holds what follows on that connection; what goes to the target passes.
    ///
    /// A connection that is opened from now on takes little more from the target than it forwards: whoever writes there soon has to wait.
    pub fn hold_each_after(&self, bytes: u64) {
        self.set(Gate { each: Some(bytes), ..Gate::default() });
    }

    /// Lets so many bytes a second pass on each connection, in each direction, until it is told otherwise: a line on which many connections get more than few.
    ///
    /// A connection that is opened from now on takes little more than it forwards.
    pub fn pace_each(&self, bytes: u64) {
        self.set(Gate { pace: Some(bytes), ..Gate::default() });
    }

    fn set(&self, gate: Gate) {
        *self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner) = gate;
        self.shared.changed.notify_all();
    }

    /// Waits until something is held.
    ///
    /// # Panics
    /// If nothing is, in time.
    pub fn held(&self) {
        let gate = self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let (gate, _) = self.shared.changed.wait_timeout_while(gate, SOON, |gate| !gate.waiting).unwrap_or_else(PoisonError::into_inner);
        let waiting = gate.waiting;
        drop(gate);
        assert!(waiting, "not enough passed through the proxy for it to hold anything");
    }

    /// Lets everything pass.
    pub fn release(&self) {
        self.set(Gate::default());
    }

    /// Cuts the connection that was opened last. Returns whether there was one.
    pub fn cut_last(&self) -> bool {
        let last = self
            .shared
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .rev()
            .find(|connection| !connection.cut.load(Ordering::SeqCst))
            .cloned();
        self.shared.close(last)
    }

    /// Cuts all connections. Returns whether there was one.
    pub fn cut_all(&self) -> bool {
        let all: Vec<_> = self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
        self.shared.close(all)
    }

    /// Flips a bit in the next piece of at least `least` bytes that goes this way.
    pub fn spoil(&self, direction: Direction, least: usize) {
        *self.shared.spoil.lock().unwrap_or_else(PoisonError::into_inner) = Some((direction, least));
    }

    /// How often one end or the other of a connection has closed it, or was cut off.
    pub fn closed(&self) -> usize {
        self.shared.ends.load(Ordering::SeqCst)
    }

    /// Whether the bit was flipped.
    pub fn spoiled(&self) -> bool {
        self.shared.spoil.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, near: TcpStream) -> Vec<JoinHandle<()>> {
        let target = *self.target.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody there: the caller sees its connection closed.
        let Ok(far) = TcpStream::connect(target) else { return Vec::new() };
        drop((near.set_nodelay(true), far.set_nodelay(true)));
        let (keeps_little, paced) = {
            let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            (gate.each.is_some(), gate.pace.is_some())
        };
        for (stream, limited) in [(&far, keeps_little || paced), (&near, paced)] {
            if limited {
                // A second handle of the same connection.
                tokio::net::TcpSocket::from_std_stream(stream.try_clone().unwrap()).set_recv_buffer_size(KEPT).unwrap();
            }
        }
        let connection = Arc::new(Connection { near, far, answered: AtomicU64::new(0), cut: AtomicBool::new(false), deaf: AtomicBool::new(false) });
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection.clone());
        self.opened.fetch_add(1, Ordering::SeqCst);
        let forward = |direction| {
            let (shared, connection) = (self.clone(), connection.clone());
            std::thread::spawn(move || {
                shared.forward(&connection, direction);
                shared.ends.fetch_add(1, Ordering::SeqCst);
            })
        };
        vec![forward(Direction::ToTarget), forward(Direction::FromTarget)]
    }

    fn forward(&self, connection: &Connection, direction: Direction) {
        let (near, far) = (&connection.near, &connection.far);
        let (mut from, mut to) = if direction == Direction::FromTarget { (far, near) } else { (near, far) };
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 {
                if !self.pass(connection, direction, 0) {
                    break;
                }
                // The other direction may go on.
                drop(to.shutdown(Shutdown::Write));
                return;
            }
            let spoiled = |spoil: &mut (Direction, usize)| spoil.0 == direction && count >= spoil.1;
            if self.spoil.lock().unwrap_or_else(PoisonError::into_inner).take_if(spoiled).is_some() {
                buffer[count / 2] ^= 0x10;
            }
            if !self.pass(connection, direction, count as u64) || to.write_all(&buffer[..count]).is_err() {
                break;
            }
            self.forwarded.fetch_add(count as u64, Ordering::SeqCst);
            self.take_time(count);
        }
        connection.close();
    }

    /// What so many bytes take on a connection, unless that changes meanwhile.
    fn take_time(&self, count: usize) {
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pace) = gate.pace {
            let time = Duration::from_secs_f64(count as f64 / pace as f64);
            drop(self.changed.wait_timeout_while(gate, time, |gate| gate.pace == Some(pace)));
        }
    }

    /// Waits until the gate lets so many bytes pass. False: the connection was cut meanwhile.
    fn pass(&self, connection: &Connection, direction: Direction, count: u64) -> bool {
        let from_target = direction == Direction::FromTarget;
        let cut = || connection.cut.load(Ordering::SeqCst) || self.ended.load(Ordering::SeqCst);
        let held = |gate: &Gate| {
            let alone = from_target && gate.each.is_some_and(|each| connection.answered.load(Ordering::SeqCst) >= each);
            // An end passes a wire that is held, and not one that is deaf.
            connection.deaf.load(Ordering::SeqCst) || (count > 0 && (alone || gate.left == Some(0)))
        };
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if gate.at.take_if(|(way, least)| *way == direction && count >= *least as u64).is_some() {
            gate.left = Some(0);
        }
        while held(&gate) && !cut() {
            // Once: two that wait and told each other so would do nothing else.
            if !std::mem::replace(&mut gate.waiting, true) {
                self.changed.notify_all();
            }
            gate = self.changed.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
        gate.left = gate.left.map(|left| left.saturating_sub(count));
        if from_target {
            connection.answered.fetch_add(count, Ordering::SeqCst);
        }
        !cut()
    }

    fn close(&self, connections: impl IntoIterator<Item = Arc<Connection>>) -> bool {
        let closed = connections.into_iter().inspect(|connection| connection.close()).count();
        // Under the lock: a forwarder that has just looked must not miss it.
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.notify_all();
        closed > 0
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.cut_all();
        // Wakes the acceptor, which then sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}
