// 1, 3, 5, 7, 217341: enough parameters fit anything. Then over-fitting, and what helps against it.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/dense.h"
#include "examples/lab.h"

namespace enxerto::lab {
namespace {

using Integers = std::array<std::int64_t, 5>;

/// 24 times the coefficients, of x^0 first, of the polynomial of degree 4 with these values at 1, 2, 3, 4, 5:
/// Newton's sum of the k-th difference times (x - 1)(x - 2)...(x - k) / k!.
Integers interpolated(Integers values) {
  Integers made{}, product{1};
  std::int64_t share = 24;
  for (std::size_t k = 0; k < 5; ++k) {
    for (std::size_t i = 0; i < 5; ++i) made[i] += share * values[0] * product[i];
    const auto root = static_cast<std::int64_t>(k + 1);
    for (std::size_t i = 5; i-- > 0;) product[i] = (i > 0 ? product[i - 1] : 0) - root * product[i];
    share /= root;
    for (std::size_t i = 0; i + 1 < 5; ++i) values[i] = values[i + 1] - values[i];
  }
  return made;
}

/// The value at x of a polynomial of which `times` times the coefficients are given; it has to be whole.
std::int64_t value_at(const Integers& coefficients, std::int64_t times, std::int64_t x) {
  std::int64_t sum = 0;
  for (std::size_t i = 5; i-- > 0;) sum = sum * x + coefficients[i];
  ensure(sum % times == 0, "the value is a whole number");
  return sum / times;
}

/// "18111/2 x^4 - 90555 x^3 ...", of 24 times the coefficients.
std::string formula(const Integers& coefficients) {
  std::string out;
  for (std::size_t i = 5; i-- > 0;) {
    const std::int64_t size = std::abs(coefficients[i]), divisor = std::gcd(size, std::int64_t{24});
    if (size == 0) continue;
    const char* sign = coefficients[i] < 0 ? "-" : "+";
    out += out.empty() ? (*sign == '-' ? "-" : "") : text(' ', sign, ' ');
    out += text(size / divisor);
    if (divisor < 24) out += text('/', 24 / divisor);
    if (i > 0) out += i > 1 ? text(" x^", i) : " x";
  }
  return out;
}

void show_sequence(Lab& lab) {
  lab.section({"1, 3, 5, 7: what comes next?", "1, 3, 5, 7: que número vem a seguir?"});
  const Integers found = interpolated({1, 3, 5, 7, 217341});
  lab.say(
      {"217341, of course. For five numbers there is one polynomial of degree 4, five parameters, that has "
       "them at x = 1 to 5, whatever they are. Newton's differences find it in whole numbers:",
       "217341, evidentemente. Para cinco números há um polinómio de grau 4, com cinco parâmetros, que os "
       "toma em x = 1 a 5, sejam eles quais forem. As diferenças de Newton encontram-no em números "
       "inteiros:"});
  lab.say(Text("f(x) = " + formula(found)));
  std::vector<std::vector<std::string>> rows;
  bool fits = true;
  for (std::int64_t x = 1; x <= 7; ++x) {
    const std::int64_t value = value_at(found, 24, x);
    fits = fits && (x > 5 || value == Integers{1, 3, 5, 7, 217341}[static_cast<std::size_t>(x - 1)]);
    rows.push_back({text(x), text(2 * x - 1), text(value)});
  }
  lab.table({"x", "2 x - 1", "f(x)"}, rows);
  // Of the lecture: 18111/2 x^4 - 90555 x^3 + 633885/2 x^2 - 452773 x + 217331.
  const Integers twice{2 * 217331, -2 * 452773, 633885, -2 * 90555, 18111};
  bool same = true;
  for (std::size_t i = 0; i < 5; ++i) same = same && found[i] == 12 * twice[i];
  lab.check({"The polynomial found is the lecture's, and gives exactly 1, 3, 5, 7, 217341",
             "O polinómio encontrado é o da aula, e dá exatamente 1, 3, 5, 7, 217341"},
            same && fits);
  lab.check({"With 9 as the fifth number, the same five parameters become 2 x - 1",
             "Com 9 como quinto número, os mesmos cinco parâmetros reduzem-se a 2 x - 1"},
            interpolated({1, 3, 5, 7, 9}) == Integers{-24, 48, 0, 0, 0});
  lab.say(
      {"Both fit the first four numbers without an error. So how well a model fits what it was shown says "
       "nothing of what it will say next; only numbers that it was not shown can tell.",
       "Ambos acertam nos quatro primeiros números sem erro. Por isso, o modo como um modelo se ajusta ao "
       "que lhe mostraram nada diz do que ele dirá a seguir; só o mostram números que ele não viu."});
}

constexpr int points_shown = 12, highest = points_shown - 1;
constexpr double noise = 0.25;
const Rng draws_of_noise(7);

double truth(double x) { return std::sin(std::numbers::pi * x); }

struct Points {
  std::vector<double> x, y;
};

/// Evenly spread over [-1, 1], the truth with noise.
Points measured(int count, Rng rng) {
  Points made;
  for (int i = 0; i < count; ++i) {
    made.x.push_back(-1 + 2.0 * i / (count - 1));
    made.y.push_back(truth(made.x.back()) + noise * rng.normal());
  }
  return made;
}

using Polynomial = std::vector<double>;  ///< coefficients, of x^0 first

double value_at(const Polynomial& of, double x) {
  double sum = 0;
  for (auto coefficient = of.rbegin(); coefficient != of.rend(); ++coefficient) sum = sum * x + *coefficient;
  return sum;
}

/// Makes sum of (f(x) - y)^2 + strength * sum of w_k^2 small, w_0 unpenalised; strength 0: least squares. The
/// equations are (X^T X + strength I) w = X^T y, solved by the eigenvectors of what stands on the left.
Polynomial fitted(const Points& points, int degree, double strength) {
  const auto n = std::ssize(points.x), m = std::int64_t{degree} + 1;
  std::vector<double> x, left(static_cast<std::size_t>(m * m)), right(static_cast<std::size_t>(m));
  for (const double place : points.x)
    for (double k = 0, power = 1; k <= degree; ++k, power *= place) x.push_back(power);
  using dense::Matrix;
  const auto down = dense::turned(Matrix<const double>(x.data(), n, m));
  dense::multiply(down, {x.data(), n, m}, 0, {left.data(), m, m});
  dense::multiply(down, {points.y.data(), n, 1}, 0, {right.data(), m, 1});
  for (std::int64_t k = 1; k < m; ++k) left[static_cast<std::size_t>(k * m + k)] += strength;
  const std::vector<double> values = dense::eigen_rows({left.data(), m, m});
  Polynomial w(static_cast<std::size_t>(m));
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double* vector = left.data() + i * w.size();
    const double along = std::inner_product(right.begin(), right.end(), vector, 0.0) / values[i];
    for (std::size_t k = 0; k < w.size(); ++k) w[k] += along * vector[k];
  }
  return w;
}

double mean_square(const Polynomial& of, const Points& points) {
  double sum = 0;
  for (std::size_t i = 0; i < points.x.size(); ++i)
    sum += std::pow(value_at(of, points.x[i]) - points.y[i], 2);
  return sum / static_cast<double>(points.x.size());
}

/// Root of the mean square on what was shown and on what was not, over many draws of the noise.
struct Errors {
  double shown = 0, held_back = 0;
};
Errors errors_of(int draws, int count, int degree, double strength) {
  Errors sums;
  for (int draw = 0; draw < draws; ++draw) {
    const Rng rng = draws_of_noise.child(static_cast<std::uint64_t>(draw));
    const Points shown = measured(count, rng.child(0));
    const Polynomial f = fitted(shown, degree, strength);
    sums.shown += mean_square(f, shown);
    sums.held_back += mean_square(f, measured(201, rng.child(1)));
  }
  return {std::sqrt(sums.shown / draws), std::sqrt(sums.held_back / draws)};
}

/// What the errors do along a path of models.
struct Path {
  std::vector<double> at, shown, held_back;
  void add(double place, const Errors& errors) {
    at.push_back(place);
    shown.push_back(errors.shown);
    held_back.push_back(errors.held_back);
  }
  std::size_t best() const {
    return static_cast<std::size_t>(std::ranges::min_element(held_back) - held_back.begin());
  }
  std::vector<Series> series() const {
    return {{{"on the points shown", "nos pontos vistos"}, at, shown},
            {{"on points held back", "em pontos não vistos"}, at, held_back}};
  }
};

Series curve(const Text& name, const Polynomial& f) {
  Series made{name, {}, {}};
  for (double x = -1; x <= 1.0001; x += 0.01) {
    made.x.push_back(x);
    made.y.push_back(value_at(f, x));
  }
  return made;
}

double size_of(const Polynomial& f) {
  double largest = 0;
  for (const double w : f) largest = std::max(largest, std::abs(w));
  return largest;
}

Path show_degrees(Lab& lab, int draws) {
  lab.section({"Over-fitting", "Sobreajuste (over-fitting)"});
  lab.say(
      {text("Now the truth is sin(pi x), measured at ", points_shown,
            " places with noise of standard deviation ", lab.number(noise, 2),
            ". Polynomials of degree 0 to ", highest,
            " are fitted by least squares; the error, the root of the mean square, is taken on the points "
            "themselves and on 201 that were held back; ",
            draws, " draws of the noise (the experiment is that of Bishop 2006, section 1.1)."),
       text("Agora a verdade é sin(pi x), medida em ", points_shown, " sítios com ruído de desvio padrão ",
            lab.number(noise, 2), ". Ajustam-se polinómios de grau 0 a ", highest,
            " por mínimos quadrados; o erro, a raiz da média dos quadrados, mede-se nos próprios pontos e "
            "em 201 que ficaram de lado; ",
            draws, " sorteios do ruído (a experiência é a de Bishop 2006, secção 1.1).")});
  Path path;
  for (int degree = 0; degree <= highest; ++degree)
    path.add(degree, errors_of(draws, points_shown, degree, 0));
  lab.plot("degree", {"error by degree", "erro por grau"},
           {.title = {"Error by degree of the polynomial", "Erro por grau do polinómio"},
            .x_name = {"degree", "grau"},
            .y_name = {"error", "erro"},
            .series = path.series(),
            .commands = "set yrange [0:1.6]"});
  const std::size_t best = path.best();
  lab.check(
      {"On the points shown the error never rises with the degree, and with as many parameters as points it "
       "is 0 (below a millionth)",
       "Nos pontos vistos, o erro nunca sobe com o grau, e com tantos parâmetros como pontos é 0 (menos de "
       "um milionésimo)"},
      std::ranges::is_sorted(path.shown, std::greater{}) && path.shown.back() < 1e-6);
  lab.check({text("On points held back it falls from ", lab.number(path.held_back.front(), 2), " to ",
                  lab.number(path.held_back[best], 2), " at degree ", best, ", and rises again to ",
                  lab.number(path.held_back.back(), 2)),
             text("Em pontos não vistos, desce de ", lab.number(path.held_back.front(), 2), " para ",
                  lab.number(path.held_back[best], 2), " no grau ", best, " e volta a subir até ",
                  lab.number(path.held_back.back(), 2))},
            best > 0 && path.held_back.front() > 1.5 * path.held_back[best] &&
                path.held_back.back() > 1.5 * path.held_back[best]);
  return path;
}

Path show_ridge(Lab& lab, int draws, const Path& degrees) {
  lab.section({"Small weights", "Pesos pequenos"});
  lab.say(
      {text("Ridge regression keeps all ", points_shown,
            " parameters and adds to the sum of squared errors a penalty, lambda times the sum of the "
            "squared weights. Networks call the same thing L2 or weight decay. Degree ",
            highest, " again, lambda from small to large:"),
       text("A regressão ridge mantém os ", points_shown,
            " parâmetros e soma aos quadrados dos erros uma penalização, lambda vezes a soma dos quadrados "
            "dos pesos. Nas redes, chama-se ao mesmo L2 ou weight decay. De novo com grau ",
            highest, ", lambda do pequeno ao grande:")});
  Path path;
  for (double exponent = -8; exponent <= 2; exponent += 0.5) {
    const double strength = std::pow(10, exponent);
    path.add(strength, errors_of(draws, points_shown, highest, strength));
  }
  lab.plot("ridge", {"error by lambda", "erro por lambda"},
           {.title = {"Error by lambda, degree 11", "Erro por lambda, grau 11"},
            .x_name = "lambda",
            .y_name = {"error", "erro"},
            .series = path.series(),
            .log_x = true,
            .commands = "set yrange [0:1.6]\nset format x '10^{%L}'"});
  const std::size_t best = path.best();
  const double chosen = path.held_back[best], by_degree = degrees.held_back[degrees.best()];
  lab.check({"On the points shown the error never falls as lambda grows",
             "Nos pontos vistos, o erro nunca desce quando lambda cresce"},
            std::ranges::is_sorted(path.shown));
  lab.check({text("On points held back the best lambda, ", lab.number(path.at[best], 4), ", has ",
                  lab.number(chosen, 2), ": nearly what the best degree has (", lab.number(by_degree, 2),
                  "), with all the parameters"),
             text("Em pontos não vistos, o melhor lambda, ", lab.number(path.at[best], 4), ", tem ",
                  lab.number(chosen, 2), ": quase o do melhor grau (", lab.number(by_degree, 2),
                  "), com todos os parâmetros")},
            chosen < 1.25 * by_degree && chosen < degrees.held_back.back() / 1.5 &&
                path.held_back.back() > 1.25 * chosen);
  return path;
}

void show_fits(Lab& lab, int best_degree, double best_strength) {
  const Points points = measured(points_shown, draws_of_noise.child(0).child(0));
  const Polynomial fits = fitted(points, best_degree, 0), over = fitted(points, highest, 0),
                   ridge = fitted(points, highest, best_strength);
  Plot plot{.title = {"One draw of the noise", "Um sorteio do ruído"},
            .x_name = "x",
            .y_name = "y",
            .series = {{{"points", "pontos"}, points.x, points.y, true},
                       curve({text("degree ", best_degree), text("grau ", best_degree)}, fits),
                       curve({text("degree ", highest), text("grau ", highest)}, over),
                       curve({"the same, ridge", "o mesmo, ridge"}, ridge)},
            .commands = "set yrange [-2.5:2.5]"};
  lab.plot("fits", {"points and three polynomials", "pontos e três polinómios"}, plot);
  lab.check({text("The largest coefficient of degree ", highest, " is ", lab.number(size_of(over), 0),
                  " by least squares and ", lab.number(size_of(ridge), 1), " by ridge"),
             text("O maior coeficiente do grau ", highest, " é ", lab.number(size_of(over), 0),
                  " por mínimos quadrados e ", lab.number(size_of(ridge), 1), " por ridge")},
            size_of(over) > 10 * size_of(ridge));
}

void show_more_points(Lab& lab, int draws) {
  lab.section({"More points", "Mais pontos"});
  const Errors few = errors_of(draws, points_shown, highest, 0),
               many = errors_of(draws, 20 * points_shown, highest, 0);
  lab.say(
      {"The other cure: the same polynomial, without a penalty, from twenty times as many points. Below the "
       "noise no honest error can go.",
       "A outra cura: o mesmo polinómio, sem penalização, a partir de vinte vezes mais pontos. Abaixo do "
       "ruído nenhum erro honesto pode descer."});
  lab.check({text("Held back, degree ", highest, " has ", lab.number(few.held_back, 2), " from ",
                  points_shown, " points and ", lab.number(many.held_back, 2), " from ", 20 * points_shown,
                  "; the noise is ", lab.number(noise, 2)),
             text("Em pontos não vistos, o grau ", highest, " tem ", lab.number(few.held_back, 2),
                  " a partir de ", points_shown, " pontos e ", lab.number(many.held_back, 2), " a partir de ",
                  20 * points_shown, "; o ruído é ", lab.number(noise, 2))},
            many.held_back < 1.1 * noise && many.held_back < few.held_back / 1.5);
}

int polynomial(int argc, char** argv) {
  Lab lab("polynomial", {"1, 3, 5, 7, 217341", "1, 3, 5, 7, 217341"},
          {"If a model fits every example that it was shown, has it learned anything?",
           "Se um modelo acerta em todos os exemplos que lhe mostraram, aprendeu alguma coisa?"},
          argc, argv);
  show_sequence(lab);
  const int draws = lab.real() ? 5000 : 100;
  const Path degrees = show_degrees(lab, draws);
  const Path ridge = show_ridge(lab, draws, degrees);
  show_fits(lab, static_cast<int>(degrees.best()), ridge.at[ridge.best()]);
  show_more_points(lab, draws);
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::polynomial, argc, argv); }
