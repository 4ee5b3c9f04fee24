use super::handle::{count, create, destroy, get, moorline_socket};
use crate::error::{Result, Status};
use crate::models::explore;
use crate::socket::Socket;
use loom::thread;

/// Handles are numbers: any thread may have them.
fn made() -> usize {
    create(Socket::new().0).unwrap().addr()
}

fn pointer(handle: usize) -> *const moorline_socket {
    std::ptr::without_provenance(handle)
}

fn status<T>(answer: Result<T>) -> Status {
    answer.err().map_or(Status::Ok, |error| error.status())
}

fn destroy_it(handle: usize) -> Status {
    status(destroy::<Socket>(pointer(handle), |socket| {
        socket.abort();
    }))
}

#[test]
fn of_two_that_destroy_a_handle_one_does() {
    explore(2, || {
        let handle = made();
        let other = thread::spawn(move || destroy_it(handle));
        let answers = [destroy_it(handle), other.join().unwrap()];
        assert!(
            answers == [Status::Ok, Status::StaleHandle] || answers == [Status::StaleHandle, Status::Ok],
            "{answers:?}"
        );
        assert_eq!(count(), 0);
    });
}

#[test]
fn a_call_has_the_object_or_is_told_that_it_is_stale() {
    explore(2, || {
        let handle = made();
        let caller = thread::spawn(move || match get::<Socket>(pointer(handle)) {
            // The object is there for as long as the call holds it, closed or not.
            Ok(socket) => assert_eq!(socket.queued(), 0),
            Err(error) => assert_eq!(error.status(), Status::StaleHandle),
        });
        assert_eq!(destroy_it(handle), Status::Ok);
        assert_eq!(status(get::<Socket>(pointer(handle))), Status::StaleHandle);
        caller.join().unwrap();
    });
}

#[test]
fn a_stale_handle_never_leads_to_the_next_object_in_its_place() {
    explore(2, || {
        let handle = made();
        let caller = thread::spawn(move || {
            if let Ok(socket) = get::<Socket>(pointer(handle)) {
                assert_eq!(socket.queued(), 0, "this is another socket");
            }
        });
        assert_eq!(destroy_it(handle), Status::Ok);
        let (next, _file) = Socket::new();
        let _ = next.send_counted(b"x", crate::Timeout::None);
        let next = create(next).unwrap().addr();
        assert_ne!(next, handle);
        caller.join().unwrap();
        assert_eq!(destroy_it(next), Status::Ok);
    });
}

#[test]
fn a_handle_made_while_another_is_destroyed_is_good() {
    explore(2, || {
        let handle = made();
        let maker = thread::spawn(made);
        assert_eq!(destroy_it(handle), Status::Ok);
        let next = maker.join().unwrap();
        assert_ne!(next, handle);
        assert_eq!(destroy_it(next), Status::Ok);
        assert_eq!(count(), 0);
    });
}
