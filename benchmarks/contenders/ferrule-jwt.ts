/**
 * Ferrule as an OAuth resource server: the bench's token is a JSON Web Token, verified by the keys that an issuer in this
 * process publishes.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Identity } from "@ferrule/mcp/Identity"
import { Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import { serveFerrule } from "./ferrule.ts"

const callers = async () => {
  const { privateKey, publicKey } = await generateKeyPair("RS256")
  const keys = [{ ...(await exportJWK(publicKey)), kid: "bench", alg: "RS256", use: "sig" }]
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys }))
  })
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const audience = "https://parcels.example.com/mcp"
  const token = await new SignJWT({ roles: ["sender"] })
    .setProtectedHeader({ alg: "RS256", kid: "bench" })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject("bench")
    .setExpirationTime("1 day")
    .sign(privateKey)
  const identity = Identity.layerJwt({ issuer, audience, jwks: issuer }).pipe(Layer.provide(FetchHttpClient.layer))
  return { identity, token }
}

export const contender = serveFerrule({ callers })
