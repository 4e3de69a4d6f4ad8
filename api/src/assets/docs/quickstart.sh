# bash, with curl and jq. The film may be any mp4, mov, webm or mkv.
api=http://127.0.0.1:8080/douyin
film=film.mp4
name=reader-$RANDOM$RANDOM

# 1. Register. The token stands for you from here on.
token=$(curl -sS "$api/user/register/" -d "username=$name" -d password=a-good-password | jq -r .token)

# 2. Publish.
curl -sS "$api/publish/action/" -F "token=$token" -F 'title=My first film' -F "data=@$film" | jq -r .status_msg

# 3. Read the feed: your film comes first, since it is the newest.
curl -sS "$api/feed/?token=$token" | jq '.video_list[0] | {title, author: .author.name, play_url}'
