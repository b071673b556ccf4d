/**
 * What the connector is told by its environment. None of it is a secret: the one that it has is in a file, which is replaced
 * when the secret rotates.
 */
import { Config } from "effect"

export const settings = Config.all({
  port: Config.withDefault(Config.Int("LEDGER_PORT"), 3000),
  /** The endpoint's URL as clients call it, which is what their tokens are for. */
  resource: Config.NonEmptyString("LEDGER_RESOURCE"),
  /** The identity provider, as its tokens name it. */
  issuer: Config.NonEmptyString("LEDGER_ISSUER"),
  /** What the connector is to the identity provider. */
  clientId: Config.NonEmptyString("LEDGER_CLIENT_ID"),
  clientSecretFile: Config.NonEmptyString("LEDGER_CLIENT_SECRET_FILE"),
  /** Where the ledger is, and what its tokens are for. */
  upstreamUrl: Config.NonEmptyString("LEDGER_UPSTREAM_URL"),
  upstreamAudience: Config.NonEmptyString("LEDGER_UPSTREAM_AUDIENCE"),
  /** A folder for the record of writes and the audit trail; it must exist. */
  data: Config.NonEmptyString("LEDGER_DATA")
})
