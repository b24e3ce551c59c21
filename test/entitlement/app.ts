import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { type AppOptions, appWith, type TestApp } from '../app.js'
import { CONTENT_KEY } from '../harness.js'
import { entitlementSettings } from './service.js'

/** The entitlement service without a socket, with everything in memory. */
export async function entitlementAppInMemory(
  t: Test,
  { settings, ...options }: AppOptions = {},
): Promise<Pick<TestApp, 'log' | 'services'> & { app: FastifyInstance }> {
  const all = { ...(await entitlementSettings(t)), ...settings }
  const { entitlement, log, services, keepSecret } = await appWith(t, { ...options, settings: all })
  if (entitlement === undefined) throw new Error('the settings have no entitlement service')
  keepSecret(CONTENT_KEY)
  return { app: entitlement, log, services }
}
