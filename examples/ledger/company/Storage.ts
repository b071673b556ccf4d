/**
 * What the identity provider remembers: sessions, grants and codes, in memory. Access tokens are signed and not kept.
 */
import type { Adapter, AdapterFactory, AdapterPayload } from "oidc-provider"

export const make = (): AdapterFactory => {
  const records = new Map<string, AdapterPayload>()
  const first = (holds: (payload: AdapterPayload) => boolean) => [...records.values()].find(holds)

  return (model): Adapter => {
    const keyOf = (id: string) => `${model}:${id}`
    return {
      upsert: async (id, payload) => void records.set(keyOf(id), payload),
      find: async (id) => records.get(keyOf(id)),
      findByUid: async (uid) => first((payload) => payload.uid === uid),
      findByUserCode: async (userCode) => first((payload) => payload.userCode === userCode),
      consume: async (id) => {
        const payload = records.get(keyOf(id))
        if (payload !== undefined) payload.consumed = true
      },
      destroy: async (id) => void records.delete(keyOf(id)),
      revokeByGrantId: async (grantId) => {
        for (const [key, payload] of records) if (payload.grantId === grantId) records.delete(key)
      }
    }
  }
}
