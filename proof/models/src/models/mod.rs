mod gate;
mod poller;
mod visited;

/// Runs a model in every order that its threads can take, with so many switches at most that they did not ask for.
pub fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}
