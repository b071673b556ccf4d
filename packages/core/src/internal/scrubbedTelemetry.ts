/**
 * Loggers, tracers and consoles that scrub what they are given before those beneath them get it. What has nothing to replace is
 * passed on as it came.
 */
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"

type Scrub = <A>(value: A) => A

/**
 * Makes a function that gives a context in which logs, spans and what is written to the console are scrubbed. It wraps each
 * logger, tracer and console once, so that a call costs a look at each.
 */
export const make = (scrub: Scrub): (<R>(context: Context.Context<R>) => Context.Context<R>) => {
  const consoleOf = memoized((console: Console.Console) => scrubbedConsole(console, scrub))
  const loggerOf = memoized((logger: AnyLogger) => scrubbedLogger(logger, scrub))
  const loggersOf = memoized((loggers: Loggers): Loggers => new Set(Array.from(loggers, loggerOf)))
  const tracerOf = memoized((tracer: Tracer.Tracer) => scrubbedTracer(tracer, scrub))
  return (context) => {
    let guarded = context
    const guard = <A extends object>(key: Context.Reference<A>, scrubbed: (given: A) => A, unless?: A) => {
      const given = Context.get(context, key)
      const clean = given === unless ? given : scrubbed(given)
      if (clean !== given) guarded = Context.add(guarded, key, clean)
    }
    guard(Console.Console, consoleOf)
    // Those of a program that names none write to the console, and a context that has none may still be given some.
    guard(References.CurrentLoggers, loggersOf, defaultLoggers)
    // Its spans never leave the process.
    guard(Tracer.Tracer, tracerOf, defaultTracer)
    return guarded
  }
}

const defaultLoggers = Context.get(Context.empty(), References.CurrentLoggers)
const defaultTracer = Context.get(Context.empty(), Tracer.Tracer)

type Loggers = ReadonlySet<AnyLogger>

type AnyLogger = Logger.Logger<unknown, unknown>

/** What was made by it stays as it is. */
const memoized = <A extends object>(make: (given: A) => A): ((given: A) => A) => {
  const made = new WeakMap<A, A>()
  return (given) => {
    const known = made.get(given)
    if (known !== undefined) return known
    const result = make(given)
    made.set(given, result)
    made.set(result, result)
    return result
  }
}

const scrubbedConsole = (console: Console.Console, scrub: Scrub): Console.Console =>
  new Proxy(console, {
    get: (target, key) => {
      const method: unknown = Reflect.get(target, key)
      return typeof method === "function"
        ? (...args: ReadonlyArray<unknown>): unknown => method.apply(target, scrub(args))
        : method
    }
  })

const scrubbedLogger = (logger: AnyLogger, scrub: Scrub): AnyLogger =>
  Logger.make((options) =>
    logger.log({
      ...options,
      message: scrub(options.message),
      cause: scrub(options.cause),
      fiber: scrubbedFiber(options.fiber, scrub)
    })
  )

/** A logger reads annotations and log spans off the fiber, so it gets one that differs from the real one in these only. */
const scrubbedFiber = (fiber: Fiber.Fiber<unknown, unknown>, scrub: Scrub): Fiber.Fiber<unknown, unknown> => {
  let { context } = fiber
  const replace = <A>(key: Context.Reference<A>) => {
    const given = Context.get(context, key)
    const clean = scrub(given)
    if (clean !== given) context = Context.add(context, key, clean)
  }
  replace(References.CurrentLogAnnotations)
  replace(References.CurrentLogSpans)
  return context === fiber.context
    ? fiber
    : (Object.create(fiber, { context: { value: context } }) as Fiber.Fiber<unknown, unknown>)
}

const scrubbedTracer = (tracer: Tracer.Tracer, scrub: Scrub): Tracer.Tracer => {
  const linkOf = ({ attributes, span }: Tracer.SpanLink): Tracer.SpanLink => ({ span, attributes: scrub(attributes) })
  return Tracer.make({
    context: tracer.context,
    span: (options) => {
      const span = tracer.span({ ...options, name: scrub(options.name), links: options.links.map(linkOf) })
      const { addLinks, attribute, end, event } = span
      // On the span itself, since exporters know their spans by class.
      return Object.assign(span, {
        attribute: (key: string, value: unknown) => attribute.call(span, scrub(key), scrub(value)),
        event: (name: string, at: bigint, attributes?: Record<string, unknown>) =>
          event.call(span, scrub(name), at, scrub(attributes)),
        addLinks: (links: ReadonlyArray<Tracer.SpanLink>) => addLinks.call(span, links.map(linkOf)),
        end: (at: bigint, exit: Exit.Exit<unknown, unknown>) =>
          end.call(span, at, Exit.isFailure(exit) ? Exit.failCause(scrub(exit.cause)) : exit)
      })
    }
  })
}
