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
#[non_exhaustive]
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
        if self.admits(peer, sys::user_id()) {
            return Ok(());
        }
        let Credentials { uid, gid, pid } = peer;
        let process = pid.map_or("unknown".to_owned(), |pid| pid.to_string());
        let context =
            format!("accept a connection: user {uid}, group {gid}, process {process} is turned away");
        Err(Error::new(Status::PermissionDenied, context))
    }

    /// Whether a process of this user lets the peer in.
    pub(crate) fn admits(&self, peer: &Credentials, user: u32) -> bool {
        match self {
            Policy::Everyone => true,
            Policy::SameUser => peer.uid == user,
            Policy::SameUserOrRoot => peer.uid == user || peer.uid == ROOT,
            Policy::Listed { users, groups } => users.contains(&peer.uid) || groups.contains(&peer.gid),
            Policy::Custom(admits) => admits(peer),
        }
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

    fn peer(uid: u32, gid: u32) -> Credentials {
        Credentials { uid, gid, pid: Some(1) }
    }

    #[test]
    fn each_rule_admits_whom_it_says() {
        const ME: u32 = 1000;
        const OTHER: u32 = 1001;
        let admits = |policy: &Policy, uid, gid| policy.admits(&peer(uid, gid), ME);
        assert!(admits(&Policy::Everyone, OTHER, 1));
        let same_user = [ME, ROOT, OTHER].map(|uid| admits(&Policy::SameUser, uid, 1));
        assert_eq!(same_user, [true, false, false]);
        let or_root = [ME, ROOT, OTHER].map(|uid| admits(&Policy::SameUserOrRoot, uid, 1));
        assert_eq!(or_root, [true, true, false]);
        let listed = Policy::Listed { users: vec![OTHER], groups: vec![77] };
        assert!(admits(&listed, OTHER, 1) && admits(&listed, ME, 77) && !admits(&listed, ME, 1));
        let custom = Policy::Custom(Arc::new(|peer| peer.gid == 5));
        assert!(admits(&custom, OTHER, 5) && !admits(&custom, OTHER, 6));
    }

    #[test]
    fn who_is_turned_away_is_named() {
        let me = sys::user_id();
        assert!(Policy::SameUser.check(&peer(me, 1)).is_ok());
        let error = Policy::SameUser.check(&peer(me + 1, 6)).unwrap_err();
        assert_eq!(error.status(), Status::PermissionDenied);
        assert!(error.to_string().contains(&format!("user {}, group 6, process 1", me + 1)), "{error}");
    }

    #[test]
    fn only_everyone_needs_no_look_at_the_peer() {
        let custom = Policy::Custom(Arc::new(|_| true));
        let listed = Policy::Listed { users: vec![7], groups: vec![] };
        let policies = [Policy::default(), Policy::SameUser, Policy::SameUserOrRoot, listed, custom];
        assert_eq!(policies.each_ref().map(Policy::is_everyone), [true, false, false, false, false]);
        let texts = policies.map(|policy| format!("{policy:?}"));
        let expected =
            ["Everyone", "SameUser", "SameUserOrRoot", "Listed { users: [7], groups: [] }", "Custom"];
        assert_eq!(texts, expected);
    }
}
