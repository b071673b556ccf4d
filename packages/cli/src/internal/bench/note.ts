import type { Bench } from "../Bench.ts"

/** Whose identity a probe of tokens has judged. */
export const identityNote = ({ identity }: Bench): string =>
  identity === "module"
    ? "by the module's identity"
    : "by Identity.layerJwt with its defaults, for want of an identity in the module: what is deployed may be another"

/** Whose server a probe of the endpoint has judged. */
export const serverNote = ({ server }: Bench): string =>
  server === "module"
    ? "the module's server"
    : "Mcp.layerHttpServer with its defaults, for want of a server in the module: what is deployed may be another"
