/// Looking at the pictures: what the doctor and every training share.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>

#include "cli/console.h"
#include "enxerto/doctor/check.h"
#include "enxerto/train/run_folder.h"

namespace enxerto::cli {

/// All threads, progress on the console, and Ctrl-C ends it.
ExamineOptions examine_options(Console& console);

struct CheckFlags {
  bool skip = false, allow_leaks = false;
  double max_unreadable = 0.05;
};
/// Adds --no-check, --allow-leaks and --max-unreadable.
void add_check_flags(CLI::App& verb, CheckFlags& flags);

/// Before a new run: looks at the pictures that `data` gave and takes those out of `splits` that training
/// does without, with a note of each kind. Throws Error: corrupt where more than flags.max_unreadable cannot
/// be read, or nothing of a split or of a class in train, or where the data's own splits share pictures,
/// unless it is told to let them. Empty where it is told to skip.
std::optional<TrainingCheck> check_data(const std::string& data, const HeldBack& held_back,
                                        const CheckFlags& flags, Splits& splits, Console& console);

/// What was found goes into the run folder, as doctor.json.
void save_check(const std::filesystem::path& run, const TrainingCheck& check);
/// The splits without what the run's doctor.json says was left out; as they are where it has none.
Splits leave_out_as_in(const std::filesystem::path& run, Splits splits);

}  // namespace enxerto::cli
