//! Who may connect to a server.

use super::arguments::{Versioned, check_reserved, options};
use super::socket::{credentials, moorline_credentials};
use crate::error::{Error, Result, Status};
use crate::policy::Policy;
use crate::sys::Credentials;
use std::ffi::c_void;
use std::sync::Arc;

/// Whoever could connect.
pub const MOORLINE_POLICY_EVERYONE: u32 = 0;
/// The effective user of this process.
pub const MOORLINE_POLICY_SAME_USER: u32 = 1;
/// The effective user of this process, and root.
pub const MOORLINE_POLICY_SAME_USER_OR_ROOT: u32 = 2;
/// The listed users, and those whose effective group is listed. Nobody else, not even this user.
pub const MOORLINE_POLICY_LISTED: u32 = 3;
/// Whoever the function admits.
pub const MOORLINE_POLICY_CUSTOM: u32 = 4;

/// Whom a server takes connections from, by the kernel's word, before the first byte is read. It comes after the permissions of
/// the socket file; abstract names have only this. Begin with MOORLINE_POLICY_INIT.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_policy {
    /// sizeof(moorline_policy).
    pub struct_size: usize,
    /// MOORLINE_POLICY_*.
    pub rule: u32,
    /// Zero.
    pub reserved: u32,
    /// MOORLINE_POLICY_LISTED: user ids; copied.
    pub users: *const u32,
    /// How many.
    pub user_count: usize,
    /// MOORLINE_POLICY_LISTED: group ids; copied.
    pub groups: *const u32,
    /// How many.
    pub group_count: usize,
    /// MOORLINE_POLICY_CUSTOM: says of a peer whether it may connect; 0 turns it away. Called by the thread that accepts. It must
    /// return: no exception, no longjmp.
    pub admits: Option<unsafe extern "C" fn(context: *mut c_void, peer: *const moorline_credentials) -> i32>,
    /// What `admits` gets as its first argument. The caller's; it must live as long as the server, or until `release`.
    pub context: *mut c_void,
    /// MOORLINE_POLICY_CUSTOM: called once, with the context, when `admits` will not be called any more: by the last call that
    /// uses the server, on whichever thread, or by the create that fails; but not by one that says of this struct, or of the options
    /// that it is in, that struct_size is wrong or something is set that is not known. NULL: nothing is. It must return: no
    /// exception, no longjmp.
    pub release: Option<unsafe extern "C" fn(context: *mut c_void)>,
}

// SAFETY: integers, pointers and nullable functions only.
unsafe impl Versioned for moorline_policy {}

/// The caller's context, given back at the end.
struct Context {
    context: *mut c_void,
    release: Option<unsafe extern "C" fn(context: *mut c_void)>,
}

// SAFETY: the context is only handed on; what it points to is shared between threads by the caller, who is told so.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the caller's function with the caller's context, as both were given; once, as this is the end.
            unsafe { release(self.context) };
        }
    }
}

struct ForeignPolicy {
    admits: unsafe extern "C" fn(context: *mut c_void, peer: *const moorline_credentials) -> i32,
    context: Context,
}

impl ForeignPolicy {
    fn admits(&self, peer: &Credentials) -> bool {
        let peer =
            moorline_credentials { struct_size: size_of::<moorline_credentials>(), ..credentials(*peer) };
        // SAFETY: the caller's function with the caller's context, as both were given.
        unsafe { (self.admits)(self.context.context, &raw const peer) != 0 }
    }
}

/// The caller's policy; everyone for NULL. To be read before anything else can fail, since only then can its context be
/// given back.
///
/// # Safety
///
/// `given` is NULL or as for [`options`], its lists can be read, and its function can be called as described.
pub(super) unsafe fn policy(given: *const moorline_policy) -> Result<Policy> {
    // SAFETY: as the caller says.
    let given = unsafe { options(given, "policy") }?;
    check_reserved(given.reserved, "policy")?;
    match given.rule {
        MOORLINE_POLICY_EVERYONE => Ok(Policy::Everyone),
        MOORLINE_POLICY_SAME_USER => Ok(Policy::SameUser),
        MOORLINE_POLICY_SAME_USER_OR_ROOT => Ok(Policy::SameUserOrRoot),
        MOORLINE_POLICY_LISTED => {
            // SAFETY: as the caller says.
            let (users, groups) =
                unsafe { (list(given.users, given.user_count), list(given.groups, given.group_count)) };
            Ok(Policy::Listed { users: users?, groups: groups? })
        }
        MOORLINE_POLICY_CUSTOM => {
            let context = Context { context: given.context, release: given.release };
            let admits = given.admits.ok_or_else(|| invalid("policy: the function is NULL"))?;
            let foreign = ForeignPolicy { admits, context };
            Ok(Policy::Custom(Arc::new(move |peer| foreign.admits(peer))))
        }
        other => Err(invalid(&format!("there is no policy {other}"))),
    }
}

/// # Safety
///
/// `count` numbers can be read there.
unsafe fn list(numbers: *const u32, count: usize) -> Result<Vec<u32>> {
    const LIMIT: usize = 1 << 20;
    if count == 0 {
        return Ok(Vec::new());
    }
    if numbers.is_null() || count > LIMIT {
        return Err(invalid("policy: a list is NULL or has more than a million entries"));
    }
    // SAFETY: not NULL, and the caller says that they are there.
    Ok(unsafe { std::slice::from_raw_parts(numbers, count) }.to_vec())
}

fn invalid(context: &str) -> Error {
    Error::new(Status::InvalidArgument, context)
}
