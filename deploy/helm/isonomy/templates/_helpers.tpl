{{/* Name of the release's objects. */}}
{{- define "isonomy.name" -}}
{{- if contains "isonomy" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-isonomy{{ end }}
{{- end }}

{{/* Labels that select the pods of a component: list of root and component. */}}
{{- define "isonomy.selector" -}}
app.kubernetes.io/name: isonomy
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "isonomy.labels" -}}
{{ include "isonomy.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{/* The components: command, port, user of Kafka and Redis, job of Prometheus; who comes in on the port, and where it
     goes. No component asks another one: they meet in Kafka and Redis. */}}
{{- define "isonomy.components" -}}
intake:
  arguments: [worker, --stages, intake]
  port: 8082
  user: worker
  job: isonomy-worker
  from: [scraper]
  to: [kafka, redis]
  numba: true
folds:
  arguments: [worker, --stages, "ratings,fairness"]
  port: 8082
  user: worker
  job: isonomy-worker
  from: [scraper]
  to: [kafka, redis]
  numba: true
gateway:
  arguments: [gateway]
  port: 8080
  user: gateway
  job: isonomy-gateway
  from: [scraper, clients]
  to: [kafka]
board:
  arguments: [board]
  port: 8081
  user: board
  job: isonomy-board
  from: [scraper, clients]
  # A subscriber may test a channel, and the board sends the test.
  to: [kafka, redis{{ if .Values.subscriberKeys.name }}, channels{{ end }}]
herald:
  arguments: [herald]
  port: 8083
  user: herald
  job: isonomy-herald
  from: [scraper]
  to: [kafka, channels]
{{- end }}

{{/* Who a process is to Kafka: list of root and user; YAML of username and secret. */}}
{{- define "isonomy.kafkaUser" -}}
{{- $root := index . 0 }}{{ $user := index . 1 }}
{{- if $root.Values.kafka.strimzi.enabled }}
username: {{ include "isonomy.name" $root }}-{{ $user }}
secret: { name: {{ include "isonomy.name" $root }}-{{ $user }}, key: password }
{{- else }}
{{- toYaml (required (printf "kafka.users.%s is needed with kafka.security=%s" $user $root.Values.kafka.security) (get $root.Values.kafka.users $user)) }}
{{- end }}
{{- end }}

{{/* The Secret with Kafka's authority: YAML of name and key. */}}
{{- define "isonomy.kafkaCa" -}}
{{- $ca := .Values.kafka.ca }}
{{- $strimzi := ternary (printf "%s-cluster-ca-cert" .Values.kafka.strimzi.cluster) "" .Values.kafka.strimzi.enabled }}
name: {{ $ca.name | default $strimzi | quote }}
key: {{ $ca.key }}
{{- end }}

{{/* Environment and files of a component: list of root, component and its entry; YAML of env and sources. */}}
{{- define "isonomy.connections" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}{{ $entry := index . 2 }}
{{- $values := $root.Values }}
{{- $sasl := hasPrefix "SASL_" $values.kafka.security }}
{{- $tls := hasSuffix "SSL" $values.kafka.security }}
{{- $kafkaCa := include "isonomy.kafkaCa" $root | fromYaml }}
{{- $redis := and (has "redis" $entry.to) (get $values.redis.users $entry.user) }}
env:
  - { name: KAFKA_BOOTSTRAP_SERVERS, value: {{ $values.kafka.bootstrapServers | quote }} }
  - { name: KAFKA_SECURITY_PROTOCOL, value: {{ $values.kafka.security }} }
  {{- if $sasl }}
  {{- $user := include "isonomy.kafkaUser" (list $root $entry.user) | fromYaml }}
  - { name: KAFKA_SASL_MECHANISM, value: {{ $values.kafka.mechanism }} }
  - { name: KAFKA_USERNAME, value: {{ $user.username | quote }} }
  - { name: KAFKA_PASSWORD_FILE, value: /etc/isonomy/kafka-password }
  {{- end }}
  {{- if and $tls $kafkaCa.name }}
  - { name: KAFKA_CA_FILE, value: /etc/isonomy/kafka-ca.crt }
  {{- end }}
  {{- if $redis }}
  - { name: REDIS_URL, value: {{ $values.redis.url | quote }} }
  {{- if $redis.username }}
  - { name: REDIS_USERNAME, value: {{ $redis.username | quote }} }
  {{- end }}
  {{- if $redis.secret.name }}
  - { name: REDIS_PASSWORD_FILE, value: /etc/isonomy/redis-password }
  {{- end }}
  {{- if $values.redis.sentinelPassword.name }}
  - { name: REDIS_SENTINEL_PASSWORD_FILE, value: /etc/isonomy/sentinel-password }
  {{- end }}
  {{- if $values.redis.ca.name }}
  - { name: REDIS_CA_FILE, value: /etc/isonomy/redis-ca.crt }
  {{- end }}
  {{- end }}
  - { name: ISONOMY_TOPIC_PREFIX, value: {{ $values.topicPrefix | quote }} }
  - { name: ISONOMY_REDIS_PREFIX, value: {{ $values.redisPrefix | quote }} }
  - { name: ISONOMY_PUBLIC_URL, value: {{ $values.publicUrl | quote }} }
  {{- if and (eq $component "gateway") $values.gatewayKeys.name }}
  - { name: ISONOMY_API_KEYS_FILE, value: /etc/isonomy/keys }
  {{- end }}
  {{- if and (has $component (list "board" "herald")) $values.subscriberKeys.name }}
  - { name: ISONOMY_SUBSCRIBER_KEYS_FILE, value: /etc/isonomy/keys }
  {{- end }}
  {{- if and (has $component (list "board" "herald")) $values.smtpUrl.name }}
  - { name: ISONOMY_SMTP_URL_FILE, value: /etc/isonomy/smtp-url }
  {{- end }}
  {{- if and (eq $component "folds") $values.fairness }}
  - { name: ISONOMY_FAIRNESS_FILE, value: /etc/isonomy/fairness.toml }
  {{- end }}
  {{- if and (eq $component "folds") $values.ratings }}
  - { name: ISONOMY_RATINGS_FILE, value: /etc/isonomy/ratings.toml }
  {{- end }}
  {{- range $name, $value := $values.settings }}
  - { name: {{ $name }}, value: {{ $value | toString | quote }} }
  {{- end }}
sources:
  {{- if $sasl }}
  {{- $user := include "isonomy.kafkaUser" (list $root $entry.user) | fromYaml }}
  - secret: { name: {{ $user.secret.name }}, items: [{ key: {{ $user.secret.key }}, path: kafka-password }] }
  {{- end }}
  {{- if and $tls $kafkaCa.name }}
  - secret: { name: {{ $kafkaCa.name }}, items: [{ key: {{ $kafkaCa.key }}, path: kafka-ca.crt }] }
  {{- end }}
  {{- if $redis }}
  {{- if $redis.secret.name }}
  - secret: { name: {{ $redis.secret.name }}, items: [{ key: {{ $redis.secret.key }}, path: redis-password }] }
  {{- end }}
  {{- with $values.redis.sentinelPassword }}
  {{- if .name }}
  - secret: { name: {{ .name }}, items: [{ key: {{ .key }}, path: sentinel-password }] }
  {{- end }}
  {{- end }}
  {{- if $values.redis.ca.name }}
  - secret: { name: {{ $values.redis.ca.name }}, items: [{ key: {{ $values.redis.ca.key }}, path: redis-ca.crt }] }
  {{- end }}
  {{- end }}
  {{- if and (eq $component "gateway") $values.gatewayKeys.name }}
  - secret: { name: {{ $values.gatewayKeys.name }}, items: [{ key: {{ $values.gatewayKeys.key }}, path: keys }] }
  {{- end }}
  {{- if and (has $component (list "board" "herald")) $values.subscriberKeys.name }}
  - secret: { name: {{ $values.subscriberKeys.name }}, items: [{ key: {{ $values.subscriberKeys.key }}, path: keys }] }
  {{- end }}
  {{- if and (has $component (list "board" "herald")) $values.smtpUrl.name }}
  - secret: { name: {{ $values.smtpUrl.name }}, items: [{ key: {{ $values.smtpUrl.key }}, path: smtp-url }] }
  {{- end }}
  {{- if and (eq $component "folds") $values.fairness }}
  - configMap: { name: {{ include "isonomy.name" $root }}-fairness, items: [{ key: fairness.toml, path: fairness.toml }] }
  {{- end }}
  {{- if and (eq $component "folds") $values.ratings }}
  - configMap: { name: {{ include "isonomy.name" $root }}-ratings, items: [{ key: ratings.toml, path: ratings.toml }] }
  {{- end }}
{{- end }}

{{/* The image of every container: a digest says which bytes, so it wins over a tag. */}}
{{- define "isonomy.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ end }}
{{- end }}

{{/* What a container may not. */}}
{{- define "isonomy.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}
