-- A role for Grafana that may read sums of usage and the names of organizations and keys, and nothing else: no hashes, no
-- limits, no log. Run it once as the owner of the gateway's tables, after the gateway has made them; again does no harm.
--   psql "$GAIAROUTER_STORE" -v password="$GRAFANA_DB_PASSWORD" -f reader.sql

select 'create role gaiarouter_reader login' where not exists (select from pg_roles where rolname = 'gaiarouter_reader')
\gexec

alter role gaiarouter_reader password :'password';
alter role gaiarouter_reader set default_transaction_read_only = on;
alter role gaiarouter_reader set statement_timeout = '30s';
grant usage on schema public to gaiarouter_reader;
grant select on usage_stats, usage_days to gaiarouter_reader;
grant select (id, name) on organizations to gaiarouter_reader;
grant select (id, name, organization) on api_keys to gaiarouter_reader;
