/**
 * Step 1: the arguments against the schema that the model was shown. A fault ends the call before anything else has run.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { ValidationError } from "../ConnectorError.ts"
import type * as Tool from "../Tool.ts"

export const validate = (tool: Tool.Any, args: unknown): Effect.Effect<object, ValidationError> => {
  const decoded = tool.input.decode(args)
  if (Result.isSuccess(decoded)) return Effect.succeed(decoded.success)
  return Effect.fail(new ValidationError({ issues: decoded.failure }))
}
