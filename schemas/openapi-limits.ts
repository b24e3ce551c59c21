type Json = Record<string, unknown>

/** The components that the headers below are. */
export const limitComponents: Json = {
  RateLimit: whole('Requests a minute, by the limit that is nearer to its end; nothing where there is none.'),
  RateLimitRemaining: whole('How many of them are left.'),
  RateLimitReset: whole('Seconds until all of them are there again.'),
  RetryAfter: whole('Seconds after which it may be worth to ask again.'),
}

/** What every answer says that is subject to a limit. */
export const limitHeaders: Json = {
  'x-ratelimit-limit': reference('RateLimit'),
  'x-ratelimit-remaining': reference('RateLimitRemaining'),
  'x-ratelimit-reset': reference('RateLimitReset'),
}

/** One request too many, with the body that errors of this endpoint have. */
export function tooManyRequests(content: unknown, description = 'Too many requests a minute.'): Json {
  return { description, headers: { 'retry-after': reference('RetryAfter'), ...limitHeaders }, content }
}

function whole(description: string): Json {
  return { schema: { type: 'integer' }, description }
}

function reference(name: string): Json {
  return { $ref: `#/components/headers/${name}` }
}
