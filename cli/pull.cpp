// enxerto pull: official weights into the cache.
#include "enxerto/zoo/pull.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "cli/training.h"
#include "enxerto/core/environment.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"

namespace enxerto::cli {
namespace {

struct PullFlags {
  Common common;
  std::string name, url, sha256, from;
  bool offline = false;
  double timeout = DownloadOptions{}.stall_seconds;
  std::uint64_t max_mib = DownloadOptions{}.max_bytes >> 20;
};

std::string sized(std::uint64_t bytes) { return human_bytes(static_cast<double>(bytes)); }

/// A bar on a terminal, a line now and then elsewhere.
class PullProgress {
 public:
  PullProgress(Console& console, std::string file) : console_(console), file_(std::move(file)) {}

  void show(PullStage stage, std::uint64_t done, std::uint64_t total) {
    const double now = now_seconds();
    if (stage != stage_ || done < first_done_) {
      stage_ = stage;
      began_ = now;
      first_done_ = done;
      shown_ = stage == PullStage::downloading && !console_.is_terminal() ? now : 0;
      if (stage == PullStage::waiting) console_.line(text(file_, ": another process pulls it, waiting"));
      if (stage == PullStage::downloading && done > 0)
        console_.line(text(file_, ": ", sized(done), " are there already"));
    }
    if (stage == PullStage::waiting) return;
    if (now - shown_ < (console_.is_terminal() ? 0.1 : 10)) return;
    shown_ = now;
    if (console_.is_terminal())
      console_.draw(bar(now, done, total));
    else if (stage == PullStage::downloading)
      console_.line(text(file_, ": ", numbers(now, done, total)));
  }

 private:
  std::string numbers(double now, std::uint64_t done, std::uint64_t total) const {
    if (done == 0 && total == 0) return "connecting";
    std::string line = sized(done) + (total ? " of " + sized(total) : "");
    if (stage_ != PullStage::downloading || now <= began_ || done <= first_done_) return line;
    const double rate = static_cast<double>(done - first_done_) / (now - began_);
    line += text(", ", human_bytes(rate), "/s");
    if (total > done) line += text(", ", human_seconds(static_cast<double>(total - done) / rate), " left");
    return line;
  }

  std::string bar(double now, std::uint64_t done, std::uint64_t total) const {
    const std::string front = stage_ == PullStage::checking ? "checking the hash" : file_;
    const std::string back = numbers(now, done, total);
    if (total == 0) return text(front, "  ", back);
    const double proportion = static_cast<double>(done) / static_cast<double>(total);
    const std::string rest = text(pad_left(percent(proportion, 0), 6), "  ", back);
    const int room = console_.width() - 3 - static_cast<int>(columns_of(front) + columns_of(rest));
    if (room < 8) return text(front, " ", rest);
    return text(front, "  ", format_bar(proportion, std::min(room, 30), console_.has_unicode()), rest);
  }

  Console& console_;
  const std::string file_;
  PullStage stage_ = PullStage::checking;
  double began_ = 0, shown_ = 0;
  std::uint64_t first_done_ = 0;
};

void check_flags(const PullFlags& flags) {
  if (flags.name.empty() == flags.url.empty())
    throw Error(ErrorKind::usage, "pull: give the name of a net, or --url; `enxerto models` lists the nets");
  if (!flags.name.empty() && !flags.sha256.empty())
    throw Error(ErrorKind::usage, "--sha256 goes with --url; the hashes of the nets' files are known");
  if (!flags.url.empty() && !flags.from.empty())
    throw Error(ErrorKind::usage, "--from and --url exclude each other");
  // Not a number fails both comparisons.
  if (!(flags.timeout >= 1 && flags.timeout <= 86400))
    throw Error(ErrorKind::usage, text("--timeout: 1 to 86400 seconds, not ", flags.timeout));
  if (flags.max_mib < 1 || flags.max_mib > (1u << 20))
    throw Error(ErrorKind::usage, text("--max-mib: 1 to 1048576, not ", flags.max_mib));
}

nlohmann::json to_json(const Pulled& pulled) {
  const CacheRecord& record = pulled.record;
  return {{"path", pulled.path.string()},
          {"file", pulled.path.filename().string()},
          {"already_there", pulled.already_there},
          {"url", record.url},
          {"from", record.from},
          {"date", record.date},
          {"bytes", record.digests.bytes},
          {"sha256", record.digests.sha256},
          {"md5", record.digests.md5},
          {"checked", record.checked}};
}

int run_pull(const PullFlags& flags) {
  check_flags(flags);
  const Source* source = flags.name.empty() ? nullptr : &find_source(flags.name);
  const Remote remote = source ? remote_of(*source) : remote_of_url(flags.url, flags.sha256);
  PullOptions options;
  options.folder = std::filesystem::absolute(cache_folder());
  if (source) options.from = flags.from.empty() ? environment().mirror : flags.from;
  options.offline = flags.offline;
  options.download = {.stall_seconds = flags.timeout, .max_bytes = flags.max_mib << 20};

  Console console(flags.common.json ? stderr : stdout);
  const std::atomic<bool>& stop = catch_interrupts();
  PullProgress progress(console, remote.file);
  const Pulled pulled = pull(remote, options, [&](PullStage stage, std::uint64_t done, std::uint64_t total) {
    progress.show(stage, done, total);
    return !stop;
  });
  console.clear();
  if (flags.common.json) {
    nlohmann::json json = to_json(pulled);
    if (source) {
      json["net"] = source->net;
      json["version"] = source->version;
      json["license"] = source->license;
      json["license_note"] = source->license_note;
    }
    print_json(json);
    return 0;
  }
  const CacheRecord& record = pulled.record;
  const bool is_checked = !remote.published.sha256.empty() || !remote.published.md5.empty();
  console.line(text(remote.file, ": ", sized(record.digests.bytes),
                    pulled.already_there ? ", already there, " : ", ",
                    is_checked ? "hash checked" : "nobody published a hash of it"));
  console.line(text("  SHA-256  ", record.digests.sha256));
  if (source) console.line(text("  licence  ", source->license, "; ", source->license_note));
  console.line(text("  file     ", pulled.path.string()));
  return 0;
}

}  // namespace

void add_pull(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<PullFlags>();
  CLI::App* verb = app.add_subcommand("pull", "Download official weights into the cache");
  verb->add_option("name", flags->name, "Network, or one of its other weights: resnet50, resnet50:v1")
      ->type_name("NAME");
  verb->add_option("--url", flags->url, "Any file instead, from this address")->type_name("URL");
  verb->add_option("--sha256", flags->sha256, "What its SHA-256 has to be, or begin with")->type_name("HEX");
  verb->add_option("--from", flags->from, "Mirror: the folder that has the file (ENXERTO_MIRROR)")
      ->type_name("URL");
  verb->add_flag("--offline", flags->offline, "Only check what is there, or say what to put where");
  verb->add_option("--timeout", flags->timeout, "Give up when nothing comes for so long")
      ->capture_default_str()
      ->type_name("SECONDS");
  verb->add_option("--max-mib", flags->max_mib, "Give up on a file that is larger")
      ->capture_default_str()
      ->type_name("MIB");
  add_json(*verb, flags->common);
  verb->footer(
      "The file goes to ENXERTO_CACHE, else to XDG_CACHE_HOME/enxerto, else to ~/.cache/enxerto. What was "
      "cut\n"
      "off goes on where it ended when the command is given again. Its hash is compared with the published "
      "one.\n"
      "Examples:\n"
      "  enxerto pull resnet50\n"
      "  enxerto pull resnet50:v1 --from https://files.example.org/weights\n"
      "  enxerto pull --url https://example.org/net.pth --sha256 ba7816bf8f01cfea");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_pull(*flags); }; });
}

}  // namespace enxerto::cli
