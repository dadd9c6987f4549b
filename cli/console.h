/// Console: lines for people, and on a terminal one line at the bottom that is redrawn.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace enxerto::cli {

/// Columns that a UTF-8 text takes: code points, wide ones too, and control characters as line() shows them.
std::size_t columns_of(std::string_view text);
/// The text with blanks before (after) it, `width` columns in all.
std::string pad_left(std::string_view text, std::size_t width);
std::string pad_right(std::string_view text, std::size_t width);

class Console {
 public:
  /// Writes to `out`, which is standard error where standard output is for JSON. `quiet`: warnings only.
  explicit Console(std::FILE* out, bool quiet = false);
  ~Console() { clear(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  bool is_terminal() const { return terminal_; }
  bool has_unicode() const { return unicode_; }  ///< as the locale says
  bool is_quiet() const { return quiet_; }
  int width() const;  ///< of the terminal now, in columns; 80 where there is none

  void line(std::string_view text = "");  ///< control characters in it are shown as \x1b
  /// To standard error, also where quiet.
  void warn(std::string_view text);
  /// Redraws the bottom line; on a terminal only. It is cut to the width.
  void draw(std::string_view text);
  void clear();

  /// Marked up on a terminal, as it is elsewhere.
  std::string bold(std::string_view text) const;
  std::string dim(std::string_view text) const;

 private:
  std::FILE* out_;
  bool quiet_, terminal_, unicode_;
  bool drawn_ = false;
};

}  // namespace enxerto::cli
