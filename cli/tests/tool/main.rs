//! The tool as a person uses it: real processes, in a directory of their own.

#![forbid(unsafe_code)]

mod clean;
mod command;
mod doctor;
mod exchange;
mod foreign;
mod generate;
mod interrupt;
mod list;
mod names;
mod output;
mod proxy;
mod replay;
mod script;
mod serve;
mod support;
mod tap;
