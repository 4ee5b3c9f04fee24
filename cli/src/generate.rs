//! What is made from the command line's own description.

use crate::failure::{Answer, Failure};
use crate::output;
use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use std::io;

#[derive(Args)]
pub struct Completions {
    /// For which shell
    shell: Shell,
}

pub fn completions<C: CommandFactory>(arguments: &Completions) -> Answer {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut C::command(), "moorline", &mut text);
    output::print(&String::from_utf8_lossy(&text))
}

/// The manual page: the command, and then each of its subcommands in a section of its own.
pub fn man<C: CommandFactory>() -> Answer {
    let mut text = Vec::new();
    let mut command = C::command();
    command.build();
    render(&command, &mut text).map_err(Failure::system("make the manual page"))?;
    output::print(&String::from_utf8_lossy(&text))
}

/// All but the list of subcommands, which names a page for each that there is not.
fn render(command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    // An empty date would leave its place in the header to the version.
    let page = clap_mangen::Man::new(command.clone()).date(" ");
    page.render_title(text)?;
    page.render_name_section(text)?;
    page.render_synopsis_section(text)?;
    page.render_description_section(text)?;
    page.render_options_section(text)?;
    page.render_extra_section(text)?;
    page.render_version_section(text)?;
    render_subcommands(command, text)
}

fn render_subcommands(command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        let page = clap_mangen::Man::new(subcommand.clone());
        // The whole name, once the command was built: "moorline tap show".
        let name = subcommand.get_bin_name().unwrap_or(subcommand.get_name());
        text.extend(format!(".SH \"{}\"\n", name.to_uppercase()).bytes());
        page.render_description_section(text)?;
        page.render_options_section(text)?;
        if subcommand.get_after_help().is_some() {
            page.render_extra_section(text)?;
        }
        render_subcommands(subcommand, text)?;
    }
    Ok(())
}
