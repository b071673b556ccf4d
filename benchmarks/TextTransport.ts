/**
 * A transport for servers built on the official SDK, of either generation, that exchanges the JSON texts a wire would
 * carry. The SDK's own in-memory transport hands objects over, which would spare these servers work that the others do.
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server"

export class TextTransport {
  onmessage?: (message: JSONRPCMessage) => void
  onclose?: () => void
  onerror?: (error: Error) => void

  private readonly receive: (text: string) => void

  constructor(receive: (text: string) => void) {
    this.receive = receive
  }

  /** Takes one message of the client. */
  take(text: string): void {
    this.onmessage?.(JSON.parse(text) as JSONRPCMessage)
  }

  async start(): Promise<void> {}

  async send(message: JSONRPCMessage): Promise<void> {
    this.receive(JSON.stringify(message))
  }

  async close(): Promise<void> {
    this.onclose?.()
  }
}
