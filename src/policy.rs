//! Who may connect to a server.

use crate::error::{Error, Result, Status};
use crate::sys::{self, Credentials};
use std::fmt;
use std::sync::Arc;

/// Whom a server takes connections from, by the kernel's word, before the first byte is read. Others are turned away.
///
/// This comes after the permissions of the socket file, which are the first line: 0600 unless an option says otherwise. Abstract
/// names have only this.
#[derive(Clone, Default)]
pub enum Policy {
    /// Whoever could connect.
    #[default]
    Everyone,
    /// The effective user of this process.
    SameUser,
    /// The effective user of this process, and root.
    SameUserOrRoot,
    /// These users, and those whose effective group is one of these. Nobody else, not even this user.
    Listed {
        /// User ids.
        users: Vec<u32>,
        /// Group ids.
        groups: Vec<u32>,
    },
    /// Whoever the function admits. It is called by the thread that accepts.
    Custom(Arc<dyn Fn(&Credentials) -> bool + Send + Sync>),
}

const ROOT: u32 = 0;

impl Policy {
    pub(crate) fn is_everyone(&self) -> bool {
        matches!(self, Policy::Everyone)
    }

    /// That the peer may connect.
    pub(crate) fn check(&self, peer: &Credentials) -> Result<()> {
        let admitted = match self {
            Policy::Everyone => true,
            Policy::SameUser => peer.uid == sys::user_id(),
            Policy::SameUserOrRoot => peer.uid == sys::user_id() || peer.uid == ROOT,
            Policy::Listed { users, groups } => users.contains(&peer.uid) || groups.contains(&peer.gid),
            Policy::Custom(admits) => admits(peer),
        };
        if admitted {
            return Ok(());
        }
        let Credentials { uid, gid, pid } = peer;
        let process = pid.map_or("unknown".to_owned(), |pid| pid.to_string());
        let context =
            format!("accept a connection: user {uid}, group {gid}, process {process} is turned away");
        Err(Error::new(Status::PermissionDenied, context))
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Policy::Everyone => f.write_str("Everyone"),
            Policy::SameUser => f.write_str("SameUser"),
            Policy::SameUserOrRoot => f.write_str("SameUserOrRoot"),
            Policy::Listed { users, groups } => {
                write!(f, "Listed {{ users: {users:?}, groups: {groups:?} }}")
            }
            Policy::Custom(_) => f.write_str("Custom"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_admits_whom_it_says() {
        let me = sys::user_id();
        let peer = |uid, gid| Credentials { uid, gid, pid: Some(1) };
        let admits = |policy: &Policy, uid, gid| policy.check(&peer(uid, gid)).is_ok();
        let other = me + 1;
        assert!(admits(&Policy::Everyone, other, 1));
        assert!(admits(&Policy::SameUser, me, 1) && !admits(&Policy::SameUser, other, 1));
        assert!(admits(&Policy::SameUserOrRoot, ROOT, 1) && !admits(&Policy::SameUserOrRoot, other, 1));
        let listed = Policy::Listed { users: vec![other], groups: vec![77] };
        assert!(admits(&listed, other, 1) && admits(&listed, me, 77) && !admits(&listed, me, 1));
        let custom = Policy::Custom(Arc::new(|peer| peer.gid == 5));
        assert!(admits(&custom, other, 5) && !admits(&custom, other, 6));
        let error = custom.check(&peer(1234, 6)).unwrap_err();
        assert_eq!(error.status(), Status::PermissionDenied);
        assert!(error.to_string().contains("user 1234"), "{error}");
    }
}
