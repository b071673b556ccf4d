/**
 * Validates a value by a JSON Schema of whatever dialect it names.
 */
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/client/validators/ajv"
import type { JsonSchema } from "./Subject.ts"

const validator = new AjvJsonSchemaValidator()

/** Says what is wrong with the value, or undefined where nothing is, or where the schema itself can't be used. */
export const validatorOf = (schema: JsonSchema): ((value: unknown) => string | undefined) => {
  try {
    const validate = validator.getValidator(schema)
    return (value) => {
      const result = validate(value)
      return result.valid ? undefined : result.errorMessage
    }
  } catch {
    return () => undefined
  }
}
