// enxerto doctor: what is wrong with a set of pictures, and a split without.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/check.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/features.h"
#include "cli/numbers.h"
#include "cli/training.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/doctor/diagnosis.h"
#include "enxerto/doctor/proposal.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;

struct DoctorFlags {
  Common common;
  std::string data, split_out;
  SplitWish wish;
  ModelFlags weights;
};

/// A finding's words for one and for many.
struct What {
  const char *one, *many;
};

/// Prints findings: how many, what it is, what to do, and a few examples.
class Findings {
 public:
  Findings(const Examination& examined, const std::string& data, Console& console)
      : examined_(examined), prefix_(data.ends_with('/') ? data : data + "/"), console_(console) {}

  void groups(const std::vector<Group>& found, const What& what, const char* advice) {
    if (found.empty()) return;
    headline(std::ssize(found), what, advice);
    for (std::size_t i = 0; i < std::min(found.size(), most_examples); ++i) {
      std::vector<std::string> names;
      for (const std::int64_t member : found[i]) {
        if (names.size() == most_members) break;
        names.push_back(name(member));
      }
      const auto more = found[i].size() - names.size();
      console_.line(text("        ", join(names, "  =  "), more ? text("  and ", more, " more") : ""));
    }
    rest(found.size());
  }

  template <class Describe>
  void list(const std::vector<std::int64_t>& found, const What& what, const char* advice,
            const Describe& describe) {
    if (found.empty()) return;
    headline(std::ssize(found), what, advice);
    for (std::size_t i = 0; i < std::min(found.size(), most_examples); ++i) {
      const std::string more = describe(picture(found[i]));
      console_.line(text("        ", name(found[i]), more.empty() ? "" : ": ", more));
    }
    rest(found.size());
  }

  void headline(std::int64_t count, const What& what, const char* advice) {
    any_ = true;
    console_.line(text(console_.bold(pad_left(with_commas(count), 7)), " ",
                       console_.bold(count == 1 ? what.one : what.many)));
    console_.line(text("        ", console_.dim(advice)));
  }
  bool any() const { return any_; }

 private:
  static constexpr std::size_t most_examples = 3, most_members = 4;
  const Picture& picture(std::int64_t i) const { return examined_.pictures[static_cast<std::size_t>(i)]; }
  /// Without the path of the data, which the reader has just typed.
  std::string name(std::int64_t i) const {
    const std::string& all = picture(i).name;
    return all.starts_with(prefix_) ? all.substr(prefix_.size()) : all;
  }
  void rest(std::size_t all) {
    if (all > most_examples)
      console_.line(
          text("        and ", with_commas(static_cast<std::int64_t>(all - most_examples)), " more"));
  }

  const Examination& examined_;
  std::string prefix_;
  Console& console_;
  bool any_ = false;
};

void print_classes(const Diagnosis& diagnosis, Console& console) {
  constexpr std::size_t most_classes = 20;
  std::array<std::int64_t, 3> all{};
  for (const ClassCount& its : diagnosis.classes)
    for (std::size_t split = 0; split < all.size(); ++split) all[split] += its.pictures[split];
  std::size_t width = 5;
  const auto shown = std::min(diagnosis.classes.size(), most_classes);
  for (std::size_t i = 0; i < shown; ++i) width = std::max(width, columns_of(diagnosis.classes[i].name));
  std::string head = pad_right("class", width) + pad_left("pictures", 10);
  const bool has_splits = all[1] + all[2] > 0;
  for (std::size_t split = 0; has_splits && split < all.size(); ++split)
    if (all[split]) head += pad_left(split_names[split], 9);
  console.line(console.dim(head));
  for (std::size_t i = 0; i < shown; ++i) {
    const ClassCount& its = diagnosis.classes[i];
    std::string row = pad_right(its.name, width) + pad_left(with_commas(its.all()), 10);
    for (std::size_t split = 0; has_splits && split < all.size(); ++split)
      if (all[split]) row += pad_left(with_commas(its.pictures[split]), 9);
    console.line(row);
  }
  if (shown < diagnosis.classes.size())
    console.line(
        text("and ", with_commas(static_cast<std::int64_t>(diagnosis.classes.size() - shown)), " more"));
  console.line();
}

/// Whether a manifest can name the pictures; those of binary sets have no files of their own.
bool have_files(const Examination& examined) {
  return std::ranges::none_of(examined.pictures, [](const Picture& its) { return its.file.empty(); });
}

void print_findings(const Examination& examined, const Diagnosis& found, const std::string& data,
                    Console& console) {
  Findings findings(examined, data, console);
  const auto nothing = [](const Picture&) { return std::string(); };
  const auto size_of = [](const Picture& its) { return text(its.width, " x ", its.height); };
  findings.groups(
      found.across_splits, {"picture is in more than one split", "pictures are in more than one split"},
      have_files(examined)
          ? "What is learnt is asked again in the test. Train on the split that is proposed below."
          : "What is learnt is asked again in the test.");
  findings.groups(found.conflicting, {"picture has different labels", "pictures have different labels"},
                  "One of them is wrong: keep the right one.");
  findings.list(found.unreadable, {"file cannot be read", "files cannot be read"},
                "Mend or remove them; training leaves out a few.",
                [](const Picture& its) { return its.error; });
  findings.groups(found.exact, {"picture is there more than once", "pictures are there more than once"},
                  "Copies count twice in training; the proposed split keeps one of each.");
  findings.groups(found.near,
                  {"picture is there in other forms too", "pictures are there in other forms too"},
                  "Edited, resized or flipped, or shot again: they must not lie in two splits.");
  findings.groups(found.bursts_across_splits,
                  {"burst may straddle the splits", "bursts may straddle the splits"},
                  "Alike, and next to each other by name or time: look at them.");
  findings.list(found.wrong_extension,
                {"file is not what its ending says", "files are not what their ending says"},
                "They are read by their content all the same; other programs may not.",
                [](const Picture& its) { return text("is ", format_name(*its.format)); });
  if (found.is_unbalanced)
    findings.headline(
        std::llround(found.imbalance),
        {"time as large is the largest class as the smallest",
         "times as large is the largest class as the smallest"},
        "`enxerto train --class-weights balanced` makes up for it; more pictures do it better.");
  findings.list(found.odd_colour,
                found.odd_are_grey
                    ? What{"picture is grey among coloured ones", "pictures are grey among coloured ones"}
                    : What{"picture is coloured among grey ones", "pictures are coloured among grey ones"},
                "Harmless, unless one class has most of them.", nothing);
  findings.list(found.tiny, {"picture is tiny", "pictures are tiny"},
                "A side is below 32 pixels: is it a thumbnail?", size_of);
  findings.list(found.huge, {"picture is huge", "pictures are huge"},
                "They cost time in each epoch; make them smaller once.", size_of);
  findings.groups(
      found.bursts,
      {"group may be a burst, or frames of one film", "groups may be bursts, or frames of one film"},
      "Alike, and next to each other by name or time. The proposed split keeps each together.");
  if (!findings.any()) console.line("Nothing wrong was found.");
}

void print_proposal(const Proposal& proposal, bool can_be_written, const DoctorFlags& flags,
                    Console& console) {
  std::array<std::int64_t, 4> left_out{};
  for (const Place& place : proposal.places) ++left_out[static_cast<std::size_t>(place.left_out)];
  std::vector<std::string> reasons;
  for (const LeftOutFor reason : {LeftOutFor::unreadable, LeftOutFor::copy, LeftOutFor::conflict})
    if (const auto count = left_out[static_cast<std::size_t>(reason)])
      reasons.push_back(text(with_commas(count), " (", reason_name(reason), ")"));
  console.line();
  console.line(text(proposal.keeps_own ? "The data's own split, mended: " : "Proposed split: ",
                    with_commas(proposal.pictures[0]), " train, ", with_commas(proposal.pictures[1]),
                    " val, ", with_commas(proposal.pictures[2]),
                    " test; left out: ", reasons.empty() ? "none" : join(reasons, ", ")));
  if (!can_be_written)
    console.line("It cannot be written: no manifest can name pictures that have no files of their own.");
  else if (flags.split_out.empty())
    console.line("--split-out split.csv writes it, and `enxerto train split.csv` takes it.");
  else
    console.line(text("Written to ", flags.split_out, ": `enxerto train ", shell_word(flags.split_out),
                      "` takes it."));
}

int run_doctor(const DoctorFlags& flags) {
  if (!flags.split_out.empty() && fs::path(flags.split_out).extension() != ".csv")
    throw Error(ErrorKind::usage, text("--split-out: a name that ends in .csv, not ", flags.split_out));
  if (!flags.split_out.empty()) {
    check_file_to_write("--split-out", flags.split_out);
    check_another_file("--split-out", flags.split_out, flags.data);
  }
  if (flags.weights.path.empty() && (flags.weights.not_strict || !flags.weights.preprocess.empty()))
    throw Error(ErrorKind::usage,
                "--preprocess and --not-strict are for --weights; leave them out without it");
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout);
  const Splits splits = open_pictures(flags.data);
  for (const std::string& note : splits.notes) console.line(note);
  const Examination examined = examine(splits, examine_options(console));
  if (examined.pictures.empty())
    throw Error(ErrorKind::not_found, text(flags.data, ": there are no pictures in it"));
  std::optional<FeatureRows> features;
  if (!flags.weights.path.empty()) features = features_of(flags.weights, splits, examined, console);
  const Diagnosis diagnosis = diagnose(examined, {}, threads(), features ? &*features : nullptr);
  const Proposal proposal = propose_split(examined, diagnosis, flags.wish);
  if (!flags.split_out.empty()) {
    const bool multi = std::ranges::any_of(std::array{splits.train, splits.val, splits.test},
                                           [](const auto& data) { return data && data->multi_label(); });
    write_file(flags.split_out,
               format_manifest(examined, proposal, multi, fs::path(flags.split_out).parent_path()));
  }
  if (flags.common.json) {
    nlohmann::json json = to_json(examined, diagnosis);
    json["split"] = to_json(examined, proposal);
    print_json(json);
    return 0;
  }
  console.line(text(flags.data, ": ", with_commas(std::ssize(examined.pictures)), " pictures, ",
                    examined.classes.size(), examined.classes.size() == 1 ? " class" : " classes"));
  console.line();
  if (!diagnosis.classes.empty()) print_classes(diagnosis, console);
  print_findings(examined, diagnosis, flags.data, console);
  if (!examined.classes.empty()) print_proposal(proposal, have_files(examined), flags, console);
  return 0;
}

}  // namespace

void add_doctor(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<DoctorFlags>();
  CLI::App* verb =
      app.add_subcommand("doctor", "Say what is wrong with a set of pictures, and split it without");
  verb->add_option("data", flags->data, "Data as `enxerto train` takes them, or any folder of pictures")
      ->required()
      ->type_name("DATA");
  verb->add_option("--split-out", flags->split_out, "Write the proposed split, for `enxerto train`")
      ->type_name("MANIFEST.csv");
  verb->add_option("--weights", flags->weights.path,
                   "Find near duplicates also by the features of this network: a model file, run folder, "
                   "weights, or a net that was pulled")
      ->type_name("FILE");
  add_weight_flags(*verb, flags->weights);
  auto* val = verb->add_option("--val", flags->wish.val, "Proportion for validation")
                  ->capture_default_str()
                  ->type_name("X");
  auto* test = verb->add_option("--test", flags->wish.test, "Proportion for the test")
                   ->capture_default_str()
                   ->type_name("X");
  auto* seed = verb->add_option("--seed", flags->wish.seed, "Of the split")
                   ->capture_default_str()
                   ->check(seed_number())
                   ->type_name("N");
  add_threads(*verb, flags->common);
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto doctor photos\n"
      "  enxerto doctor photos --split-out split.csv && enxerto train split.csv --net resnet18 --out run\n"
      "  enxerto doctor photos --weights mobilenet_v2    (after `enxerto pull mobilenet_v2`)\n"
      "Splits that the data have of their own are kept and mended; --val, --test or --seed draw them anew.\n"
      "What is found is no failure: the exit code is 0.");
  verb->callback([flags, val, test, seed, &chosen] {
    flags->wish.anew = val->count() + test->count() + seed->count() > 0;
    chosen = [flags] { return run_doctor(*flags); };
  });
}

}  // namespace enxerto::cli
