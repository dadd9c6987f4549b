#include "cli/console.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "cli/printable.h"
#include "enxerto/core/text.h"

namespace enxerto::cli {
namespace {

constexpr std::string_view bold_mark = "\x1b[1m", dim_mark = "\x1b[2m", end_mark = "\x1b[0m";

bool begins_code_point(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

/// As printable() has it, but for the marks of bold() and dim().
std::string printable_but_marks(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('\x1b'), text.size());
    out += printable(text.substr(0, plain));
    text.remove_prefix(plain);
    std::size_t taken = std::min<std::size_t>(1, text.size());
    for (const std::string_view mark : {bold_mark, dim_mark, end_mark})
      if (text.starts_with(mark)) taken = mark.size();
    out += taken > 1 ? std::string(text.substr(0, taken)) : printable(text.substr(0, taken));
    text.remove_prefix(taken);
  }
  return out;
}

}  // namespace

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (const char byte : printable(text)) columns += begins_code_point(byte);
  return columns;
}

std::string pad_left(std::string_view text, std::size_t width) {
  const std::size_t columns = columns_of(text);
  return std::string(width > columns ? width - columns : 0, ' ') + std::string(text);
}

std::string pad_right(std::string_view text, std::size_t width) {
  const std::size_t columns = columns_of(text);
  return std::string(text) + std::string(width > columns ? width - columns : 0, ' ');
}

Console::Console(std::FILE* out, bool quiet)
    : out_(out),
      quiet_(quiet),
      terminal_(isatty(fileno(out)) == 1),
      unicode_(std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0) {}

int Console::width() const {
  winsize size{};
  if (terminal_ && ioctl(fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

void Console::line(std::string_view text) {
  if (quiet_) return;
  clear();
  const std::string shown = terminal_ ? printable_but_marks(text) : printable(text);
  std::fwrite(shown.data(), 1, shown.size(), out_);
  std::fputc('\n', out_);
  std::fflush(out_);
}

void Console::warn(std::string_view text) {
  clear();
  std::fprintf(stderr, "%s\n", printable(text).c_str());
}

void Console::draw(std::string_view line) {
  if (quiet_ || !terminal_) return;
  const std::string text = printable(line);
  // The last column stays free: a terminal may wrap after it.
  const auto most = static_cast<std::size_t>(width() - 1);
  std::size_t end = 0, columns = 0;
  for (; end < text.size(); ++end)
    if (begins_code_point(text[end]) && ++columns > most) break;
  std::fputc('\r', out_);
  std::fwrite(text.data(), 1, end, out_);
  std::fputs("\x1b[K", out_);  // erases what the line before had more
  std::fflush(out_);
  drawn_ = true;
}

void Console::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", out_);
  std::fflush(out_);
  drawn_ = false;
}

std::string Console::bold(std::string_view content) const {
  return terminal_ ? text(bold_mark, content, end_mark) : std::string(content);
}

std::string Console::dim(std::string_view content) const {
  return terminal_ ? text(dim_mark, content, end_mark) : std::string(content);
}

}  // namespace enxerto::cli
