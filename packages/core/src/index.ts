export * as AccessMatrix from "./AccessMatrix.ts"
export * as AuditSink from "./AuditSink.ts"
export * as AuditTrail from "./AuditTrail.ts"
export * as CanonicalJson from "./CanonicalJson.ts"
export * as Connector from "./Connector.ts"
export {
  AuthorizationError,
  ConnectorError,
  DefinitionError,
  Internal,
  Issue,
  OutcomeUnknown,
  Refusal,
  ResultUnavailable,
  TransientError,
  ValidationError
} from "./ConnectorError.ts"
export * as Credential from "./Credential.ts"
export * as IdempotencyKey from "./IdempotencyKey.ts"
export { IdempotencyStore, StoreError } from "./IdempotencyStore.ts"
export { Operation } from "./Operation.ts"
export type * as Limits from "./Limits.ts"
export * as Pipeline from "./Pipeline.ts"
export * as Policy from "./Policy.ts"
export { Principal, PrincipalData } from "./Principal.ts"
export * as Retry from "./Retry.ts"
export * as Scrubber from "./Scrubber.ts"
export * as Tool from "./Tool.ts"
export * as ToolSchema from "./ToolSchema.ts"
export * as Upstream from "./Upstream.ts"
