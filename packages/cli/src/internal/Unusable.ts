/**
 * Something that the command was given, or needs, and can't work with. The message says what is wrong and what to do, in
 * one sentence or two; `cause` is shown with `--debug` alone.
 */
import * as Schema from "effect/Schema"

export class Unusable extends Schema.TaggedError<Unusable>("@ferrule/cli/Unusable")("Unusable", {
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Unknown)
}) {}
