// Cuts the resources that the simulated GitHub serves out of GitHub's description of its REST API, with everything that
// they refer to: from megabytes to what a test reads in no time.
const fs = require('fs');

const PATHS = [
  '/app',
  '/app/installations',
  '/app/installations/{installation_id}',
  '/app/installations/{installation_id}/access_tokens',
  '/installation/repositories',
  '/installation/token',
  '/meta',
  '/orgs/{org}/installation',
  '/rate_limit',
  '/repos/{owner}/{repo}',
  '/repos/{owner}/{repo}/actions/runs/{run_id}',
  '/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}',
  '/repos/{owner}/{repo}/actions/workflows',
  '/repos/{owner}/{repo}/actions/workflows/{workflow_id}',
  '/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs',
  '/repos/{owner}/{repo}/commits/{ref}',
  '/user',
];

function slice(from, to) {
  const whole = JSON.parse(fs.readFileSync(`.tools/node_modules/@octokit/openapi/generated/${from}`));
  const kept = { paths: {}, components: {} };
  const seen = new Set();
  const visit = (value) => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (value === null || typeof value !== 'object') return;
    for (const [name, inner] of Object.entries(value)) {
      if (name !== '$ref' || typeof inner !== 'string') { visit(inner); continue; }
      if (seen.has(inner)) continue;
      seen.add(inner);
      const [, , kind, key] = inner.split('/');
      kept.components[kind] ??= {};
      kept.components[kind][key] = whole.components[kind][key];
      visit(whole.components[kind][key]);
    }
  };
  // Its copy of `installation` in the list wants an account to be a user and an enterprise at once; by itself it may
  // be either.
  const list = whole.paths['/app/installations'].get.responses['200'].content['application/json'].schema;
  list.items = { $ref: '#/components/schemas/installation' };
  for (const path of PATHS) {
    const methods = Object.entries(whole.paths[path] ?? {}).filter(([method]) => ['get', 'post', 'delete'].includes(method));
    kept.paths[path] = Object.fromEntries(methods);
    visit(kept.paths[path]);
  }
  delete kept.components.examples;
  fs.mkdirSync('.tools/openapi', { recursive: true });
  fs.writeFileSync(`.tools/openapi/${to}`, JSON.stringify(kept));
}

slice('api.github.com.json', 'github.json');
slice('ghes-3.19.json', 'enterprise.json');
