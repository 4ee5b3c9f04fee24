// Compiled for its warnings, never run: each line that says so ignores a result.
#include <moorline/moorline.hpp>
#include <moorline/testkit.hpp>

using namespace moorline;

Result<int> of_the_user();
Outcome<int> with_a_report();

void ignore(Server& server, Socket& socket, Poller& poller, Service& service, Connection connection, Event* events) {
    const Timeout timeout = Timeout::none();
    char buffer[8];

    Server::create();  // warns
    server.listen("name");  // warns
    server.listen_unique("prefix");  // warns
    server.listen_descriptor(0);  // warns
    server.full_name();  // warns
    server.accept(timeout);  // warns
    server.descriptor();  // warns
    server.close();  // warns
    server.destroy();  // warns
    server.release();  // warns

    Socket::connect("name", timeout);  // warns
    Socket::pair();  // warns
    Socket::adopt_descriptor(0);  // warns
    socket.release_descriptor();  // warns
    socket.descriptor();  // warns
    socket.send("x", timeout);  // warns
    socket.send("x", 1, timeout);  // warns
    socket.receive(buffer, timeout);  // warns
    socket.receive(buffer, sizeof buffer, timeout);  // warns
    socket.send_message("x", timeout);  // warns
    socket.send_message_with_descriptors("x", {}, timeout);  // warns
    socket.receive_message(buffer, timeout);  // warns
    socket.receive_message(timeout);  // warns
    socket.receive_message_with_descriptors(timeout);  // warns
    socket.set_validator({});  // warns
    socket.take_exception();  // warns
    socket.max_message();  // warns
    socket.peer_application();  // warns
    socket.release();  // warns
    socket.flush(timeout);  // warns
    socket.wait(Interest::readable, timeout);  // warns
    socket.peer_credentials();  // warns
    socket.close(timeout);  // warns

    Poller::create();  // warns
    poller.add(socket, Interest::readable, 0);  // warns
    poller.modify(socket, Interest::readable, 0);  // warns
    poller.remove(socket);  // warns
    poller.add(server, Interest::readable, 0);  // warns
    poller.modify(server, Interest::readable, 0);  // warns
    poller.remove(server);  // warns
    poller.wait(events, 1, timeout);  // warns
    poller.wake();  // warns
    poller.descriptor();  // warns
    poller.close();  // warns

    Service::create({});  // warns
    Service::echo();  // warns
    service.start("name");  // warns
    service.start_unique("prefix");  // warns
    service.full_name();  // warns
    service.stop(timeout);  // warns
    service.take_exceptions();  // warns
    connection.send("x", timeout);  // warns
    connection.send("x", 1, timeout);  // warns
    connection.send_message("x", timeout);  // warns
    connection.close();  // warns
    connection.abort();  // warns
    connection.peer_credentials();  // warns

    run_exchange("name", {}, timeout);  // warns
    resolve_name("name");  // warns
    name_state("name");  // warns
    remove_name("name");  // warns
    live_handles();  // warns
    live_handles_report();  // warns
    with_a_report();  // warns
#if !defined(__cpp_lib_expected)
    of_the_user();  // warns before std::expected
#endif

    // Said to be ignored: no warning.
    static_cast<void>(server.close());
    if (!server.close()) {
        return;
    }
}

void ignore_of_the_kit(testkit::Verdicts& verdicts, testkit::Fixture& fixture, testkit::FaultPlan& plan,
                       testkit::LeakGuard& guard, testkit::Proxy& proxy, testkit::Tap& tap, testkit::Recording& recording,
                       testkit::Clock& clock, Server& server) {
    const Timeout timeout = Timeout::none();

    testkit::Verdicts::create();  // warns
    verdicts.expect(1);  // warns
    verdicts.wait(timeout);  // warns
    verdicts.count();  // warns
    verdicts.take();  // warns
    // Whether a check passed need not be asked.
    MOORLINE_CHECK(verdicts, true);
    MOORLINE_CHECK_EQ(verdicts, 1, 1);
    verdicts.done();

    testkit::Fixture::start("echo");  // warns
    testkit::Fixture::echo();  // warns
    testkit::Fixture::sink();  // warns
    testkit::Fixture::flood();  // warns
    testkit::Fixture::flood(1);  // warns
    fixture.full_name();  // warns
    fixture.statistics();  // warns
    fixture.transcript();  // warns
    fixture.wait(1, timeout);  // warns
    fixture.wait_received(1, timeout);  // warns
    fixture.stop();  // warns

    testkit::FaultPlan::create({});  // warns
    plan.counts();  // warns
    plan.happened();  // warns
    plan.open_backlog();  // warns
    plan.end();  // warns

    testkit::LeakGuard::create();  // warns
    guard.wait(testkit::LeakKinds::all, timeout);  // warns
    guard.report();  // warns
    guard.leaks();  // warns

    testkit::Proxy::start("name", "target");  // warns
    proxy.full_name();  // warns
    proxy.take_failures();  // warns
    proxy.stop(timeout);  // warns

    testkit::Tap::create("path");  // warns
    tap.check();  // warns
    testkit::Recording::read("path");  // warns
    recording.text();  // warns
    recording.size();  // warns
    recording.play_clients("name", timeout);  // warns
    recording.play_server(server, timeout);  // warns

    testkit::Clock::create();  // warns
    clock.advance(std::chrono::seconds(1));  // warns
    clock.passed();  // warns
}
