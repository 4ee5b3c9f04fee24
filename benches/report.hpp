// The table and the JSON file.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "samples.hpp"

namespace bench {

// The machine and the versions, as names and values.
using Surroundings = std::vector<std::pair<std::string, std::string>>;
Surroundings surroundings();

// Prints the table of medians, spreads and ratios.
void print_table(const Surroundings& surroundings, const std::vector<Group>& groups);

// Writes the surroundings and every sample; false if the file can't be written.
bool write_json(const std::string& path, const Surroundings& surroundings, const std::vector<Group>& groups, std::size_t rounds);

}  // namespace bench
