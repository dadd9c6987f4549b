#include "cli/console.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>

#include "enxerto/core/text.h"

namespace enxerto::cli {
namespace {

bool begins_code_point(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

}  // namespace

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (const char byte : text) columns += begins_code_point(byte);
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
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fputc('\n', out_);
  std::fflush(out_);
}

void Console::warn(std::string_view text) {
  clear();
  std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
}

void Console::draw(std::string_view text) {
  if (quiet_ || !terminal_) return;
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
  return terminal_ ? text("\x1b[1m", content, "\x1b[0m") : std::string(content);
}

std::string Console::dim(std::string_view content) const {
  return terminal_ ? text("\x1b[2m", content, "\x1b[0m") : std::string(content);
}

}  // namespace enxerto::cli
