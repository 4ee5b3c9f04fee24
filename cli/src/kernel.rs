//! What the kernel tells of local stream sockets (sock_diag(7)), and who has them open (/proc/PID/fd, proc(5)).

use crate::failure::{Answer, Failure};
use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A process that has a socket open.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: u32,
    /// The program's name, as the kernel has it: 15 bytes at most.
    pub program: String,
}

/// The file that a socket is bound to: its name in the kernel may be an old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct File {
    pub inode: u32,
    pub device: u32,
}

impl From<&Metadata> for File {
    /// As the kernel counts them in sock_diag: the low half of the inode, and a device of 12 bits and 20.
    fn from(metadata: &Metadata) -> File {
        let device = metadata.dev();
        let device = (rustix::fs::major(device) << 20) | rustix::fs::minor(device);
        File { inode: metadata.ino() as u32, device }
    }
}

/// A stream socket that listens.
#[derive(Clone, Debug)]
pub struct Listener {
    /// What it was bound to; an abstract name begins with a NUL. None if it has no name.
    pub name: Option<OsString>,
    pub file: Option<File>,
    /// The socket's own number, by which processes have it open.
    pub inode: u64,
    /// Connections that were made to its file and are open, and those that wait to be accepted.
    pub connections: usize,
    /// Connections that wait to be accepted, and how many may, less one.
    pub waiting: (u32, u32),
}

impl Listener {
    /// The directory that it was bound in, if it has a file.
    pub fn bound_in(&self) -> Option<&Path> {
        self.file.and(self.name.as_ref()).and_then(|name| Path::new(name).parent())
    }

    /// Whether it may be bound to this file. Overlayfs over several file systems, for one, tells stat(2) of another device than the
    /// kernel has itself; but within the directory that it was bound in, the inode says as much.
    pub fn may_be_at(&self, file: File, path: &Path) -> bool {
        let is_near = || self.bound_in() == path.parent();
        self.file.is_some_and(|own| own == file || own.inode == file.inode && is_near())
    }
}

/// A socket, as the kernel describes it.
#[derive(Default)]
struct Socket {
    kind: u8,
    state: u8,
    inode: u32,
    name: Option<OsString>,
    file: Option<File>,
    queues: (u32, u32),
}

// linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_VFS: u16 = 1;
const UNIX_DIAG_RQLEN: u16 = 4;
const SHOW_NAME_VFS_RQLEN: u32 = 1 | 2 | 16;
const AF_UNIX: u8 = 1;
const SOCK_STREAM: u8 = 1;
const LISTENING: u8 = 10;
const HEADER: usize = 16;
const DESCRIPTION: usize = 16;

/// The stream sockets of this network namespace that listen.
pub fn listeners() -> Answer<Vec<Listener>> {
    sockets().map(to_listeners).map_err(Failure::system("ask the kernel for its local sockets (sock_diag)"))
}

fn to_listeners(sockets: Vec<Socket>) -> Vec<Listener> {
    let (listening, others): (Vec<Socket>, Vec<Socket>) = sockets
        .into_iter()
        .filter(|socket| socket.kind == SOCK_STREAM)
        .partition(|socket| socket.state == LISTENING);
    // An accepted socket has the address of the one that accepted it. One that waits to be accepted is not shown.
    let mut connections: HashMap<(&Option<File>, &Option<OsString>), usize> = HashMap::new();
    for Socket { file, name, .. } in &others {
        *connections.entry((file, name)).or_default() += 1;
    }
    let count = |socket: &Socket| connections.get(&(&socket.file, &socket.name)).copied().unwrap_or(0);
    let counts: Vec<usize> = listening.iter().map(count).collect();
    listening
        .into_iter()
        .zip(counts)
        .map(|(Socket { inode, name, file, queues, .. }, connections)| Listener {
            name,
            file,
            inode: inode.into(),
            connections: connections + queues.0 as usize,
            waiting: queues,
        })
        .collect()
}

fn sockets() -> io::Result<Vec<Socket>> {
    let kernel =
        socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    send(&kernel, &request(), SendFlags::empty())?;
    let mut sockets = Vec::new();
    while read_answer(&kernel, &mut sockets)? {}
    Ok(sockets)
}

/// All unix sockets in any state, with their names, files and queues.
fn request() -> Vec<u8> {
    let mut request = Vec::with_capacity(HEADER + 24);
    request.extend(40_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([AF_UNIX, 0, 0, 0]);
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    request.extend(SHOW_NAME_VFS_RQLEN.to_ne_bytes());
    request.extend([0xff; 8]);
    request
}

/// Reads a part of the answer; false when that was the last.
fn read_answer(kernel: &OwnedFd, sockets: &mut Vec<Socket>) -> io::Result<bool> {
    let mut buffer = vec![0; 64 * 1024];
    let (received, _) = recv(kernel, &mut *buffer, RecvFlags::empty())?;
    let mut rest = &buffer[..received];
    while let (Some(length), Some(kind)) = (u32_at(rest, 0), u16_at(rest, 4)) {
        let Some(message) = rest.get(..length as usize).filter(|message| message.len() >= HEADER) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message that does not end"));
        };
        match kind {
            NLMSG_DONE => return Ok(false),
            NLMSG_ERROR => {
                let code = u32_at(message, HEADER).unwrap_or(0).cast_signed();
                return Err(io::Error::from_raw_os_error(-code));
            }
            SOCK_DIAG_BY_FAMILY => sockets.extend(parse(&message[HEADER..])),
            _ => {}
        }
        rest = rest.get(aligned(message.len())..).unwrap_or_default();
    }
    Ok(received > 0)
}

/// A description, and the attributes behind it.
fn parse(message: &[u8]) -> Option<Socket> {
    let mut socket = Socket {
        kind: *message.get(1)?,
        state: *message.get(2)?,
        inode: u32_at(message, 4)?,
        ..Socket::default()
    };
    let mut rest = message.get(DESCRIPTION..)?;
    while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let value = rest.get(4..length.into())?;
        let pair = || Some((u32_at(value, 0)?, u32_at(value, 4)?));
        match kind {
            UNIX_DIAG_NAME => socket.name = Some(name_of(value)),
            UNIX_DIAG_VFS => socket.file = pair().map(|(inode, device)| File { inode, device }),
            UNIX_DIAG_RQLEN => socket.queues = pair()?,
            _ => {}
        }
        rest = rest.get(aligned(length.into())..).unwrap_or_default();
    }
    Some(socket)
}

/// A path ends at its NUL; an abstract name begins with one, and all of its bytes count.
fn name_of(value: &[u8]) -> OsString {
    let length = match value.first() {
        Some(0) => value.len(),
        _ => value.iter().position(|&byte| byte == 0).unwrap_or(value.len()),
    };
    OsString::from_vec(value[..length].to_vec())
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// Who has which socket open, by inode; of other users' processes only root learns that.
pub fn owners() -> HashMap<u64, Process> {
    let mut owners = HashMap::new();
    let directories = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in directories.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let directory = PathBuf::from(format!("/proc/{pid}"));
        // It may end at any moment, and may not be ours to look into.
        let descriptors = fs::read_dir(directory.join("fd")).into_iter().flatten().flatten();
        for link in descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()) {
            let inode = link
                .to_str()
                .and_then(|link| link.strip_prefix("socket:["))
                .and_then(|link| link.strip_suffix(']'))
                .and_then(|inode| inode.parse().ok());
            if let Some(inode) = inode {
                // It need not be text: a name that is too long is cut anywhere.
                let program = fs::read(directory.join("comm")).unwrap_or_default();
                let program = String::from_utf8_lossy(&program).trim_end().to_owned();
                owners.entry(inode).or_insert(Process { pid, program });
            }
        }
    }
    owners
}
